"""The generated documents are those that `make docs` writes now."""

from __future__ import annotations

from pathlib import Path

import pytest

from repository import generated

DOCUMENTS = generated.documents()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_generated_document_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == DOCUMENTS[path], "run make docs"
