"""Pages that probes and scrapers ask for, by whatever name they reach this process."""

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt

View = TypeVar("View", bound=Callable[..., HttpResponse])


def any_host(view: View) -> View:
    """Mark a view that says nothing of the name it is asked by: it answers whatever `Host` is sent.

    A kubelet asks by the pod's address, Prometheus by the container's name; neither is in `ALLOWED_HOSTS`.
    """
    view.any_host = True  # type: ignore[attr-defined]
    return csrf_exempt(view)


class AnyHost:
    """Middleware before all that look at the host: answers for the marked views."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer for a marked view, or pass the request on to the other middleware."""
        try:
            found = resolve(request.path_info)
        except Resolver404:
            return self._get_response(request)
        if not getattr(found.func, "any_host", False):
            return self._get_response(request)
        response = found.func(request, *found.args, **found.kwargs)
        response.headers.setdefault("Content-Length", str(len(response.content)))
        return response
