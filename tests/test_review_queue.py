"""The queue: what it counts as cells come and go, and its orders."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from ocr_moe.reviewing.queue import CellKey, Order, Queue, Waiting
from ocr_moe.subjects import DocumentKey

FIELDS = ("姓名", "性别", "证书编号")


@pytest.mark.parametrize("seed", range(5))
def test_counts_and_orders_are_those_of_the_cells_that_wait(seed: int) -> None:
    chance = random.Random(seed)

    def any_cell() -> Waiting:
        document = DocumentKey(f"{chance.randrange(6)}.jpg")
        rank = chance.randrange(len(FIELDS))
        schema = "diploma" if document.path < "3" else "licence"
        return Waiting(CellKey(document, FIELDS[rank]), schema, rank, chance.random())

    queue = Queue()
    cells = {cell.key: cell for cell in (any_cell() for _ in range(8))}
    queue.fill(list(cells.values()))
    for _ in range(200):
        cell = any_cell()
        if chance.random() < 0.5:
            queue.put(cell)
            cells[cell.key] = cell
        else:
            queue.drop(cell.key)
            cells.pop(cell.key, None)
        assert len(queue) == len(cells)
        assert queue.of_fields == Counter((each.schema, each.key.field) for each in cells.values())
        documents = Counter(key.document for key in cells)
        for number in range(6):
            document = DocumentKey(f"{number}.jpg")
            assert queue.of_document(document) == documents[document]
        by_doubt = sorted(cells.values(), key=lambda each: (each.confidence, each.key))
        assert list(queue.cells(Order.DOUBT)) == by_doubt
        for order in Order:
            assert set(queue.cells(order)) == set(cells.values())
