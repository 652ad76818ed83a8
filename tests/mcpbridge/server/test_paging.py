"""Long lists in pages."""

import pytest

from mcpbridge.server.paging import PAGE_BYTES, BadCursor, page_of


def items(count: int, size: int = 1) -> list[dict[str, str]]:
    return [{"uri": f"book://{number}", "text": "x" * size} for number in range(count)]


@pytest.mark.parametrize(("count", "size"), [(0, 1), (1, 1), (500, 1), (501, 1), (9, 200_000)])
def test_the_pages_of_a_list_are_the_list(count: int, size: int):
    whole, found, cursor = items(count, size), [], None
    for _ in range(20):
        page, cursor = page_of(whole, cursor)
        assert sum(len(item["text"]) for item in page) <= PAGE_BYTES
        found += page
        if cursor is None:
            break
    assert found == whole


def test_a_single_item_larger_than_a_page_is_a_page():
    page, cursor = page_of(items(2, PAGE_BYTES + 1), None)
    assert len(page) == 1
    assert cursor is not None


@pytest.mark.parametrize("cursor", ["", "p1.500", "p1.0.x", "p1.501.0123456789abcdef", "☃"])
def test_a_cursor_that_was_made_up_is_refused(cursor: str):
    with pytest.raises(BadCursor):
        page_of(items(600), cursor)


def test_a_cursor_of_a_list_that_changed_is_refused():
    _, cursor = page_of(items(600), None)
    with pytest.raises(BadCursor, match="begin again"):
        page_of(items(601), cursor)
