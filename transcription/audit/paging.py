"""Lists over tables of millions: counts that are estimated, and no page so deep that the database walks there."""

from functools import cached_property
from typing import Any, cast

from django.core.paginator import Paginator
from django.db import connections
from django.db.models import Max, QuerySet

EXACT_UP_TO = 50_000
MAX_PAGES = 200
"""Further in, a filter finds what is looked for and an offset does not."""


class EstimatingPaginator(Paginator):
    """Counts exactly what is filtered, up to a bound; takes the database's own estimate for a whole table."""

    @cached_property
    def count(self) -> int:
        """How many rows: exact up to `EXACT_UP_TO`, one more for more; of a whole table that is larger an estimate."""
        rows = cast("QuerySet[Any]", self.object_list)
        if not rows.query.where and (estimate := estimated_rows(rows)) > EXACT_UP_TO:
            return estimate
        return rows.order_by()[: EXACT_UP_TO + 1].count()

    @cached_property
    def num_pages(self) -> int:
        """How many pages are offered, at most `MAX_PAGES`."""
        return min(super().num_pages, MAX_PAGES)


def estimated_rows(rows: QuerySet) -> int:
    """Of a whole table: PostgreSQL's statistics, elsewhere the highest key (rows are rarely erased)."""
    connection = connections[rows.db]
    if connection.vendor != "postgresql":
        return rows.order_by().aggregate(highest=Max("pk"))["highest"] or 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [rows.model._meta.db_table])
        return cursor.fetchone()[0]
