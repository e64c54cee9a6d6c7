"""What an address may not hold."""

from collections.abc import Callable
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse, JsonResponse


class NoNul:
    """Middleware: a query with a NUL (`%00`) is 400; PostgreSQL keeps none, and fails when it is asked for one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or pass the request on."""
        if "\0" in unquote(request.META.get("QUERY_STRING", "")):
            return JsonResponse({"error": "Expected an address without NUL (%00)"}, status=400)
        return self._get_response(request)
