"""`manage.py stt`: starts and watches the whole service on one machine. Nothing of the product imports it."""
