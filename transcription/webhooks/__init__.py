"""Events out: noted with the records they tell of, handed out again until their endpoints have taken them."""
