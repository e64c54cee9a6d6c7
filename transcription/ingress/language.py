"""The admin speaks its reader's language; what programs read is the same for all."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

PEOPLES = "/admin/"


class AdminLanguage(LocaleMiddleware):
    """Django's middleware for the admin: by `Accept-Language`, else `LANGUAGE_CODE`; caches are told by `Vary`.

    Around everything that has words in it, and inside the sessions' middleware. `/` has its own way with languages
    (`static/transcription/texts.js`).
    """

    def process_request(self, request: HttpRequest) -> None:
        """Choose the language. What an earlier request of the thread has chosen is not for a page of another kind."""
        if request.path_info.startswith(PEOPLES):
            super().process_request(request)
        else:
            translation.deactivate()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Name the language, and that it depends on the reader."""
        return super().process_response(request, response) if request.path_info.startswith(PEOPLES) else response
