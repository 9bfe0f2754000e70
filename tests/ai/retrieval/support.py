"""A folder of documents for one test, PDF files made by hand, and an embedding model that can be foreseen."""

from __future__ import annotations

import math
import re
from pathlib import Path
from zlib import crc32

from gsws.ai.retrieval import FolderIndex, Passage


class Folder:
    """Documents in a temporary folder, with an index beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path / "docs"
        self.path.mkdir()
        self.database = path / "state" / "index.sqlite"
        self.opened: list[FolderIndex] = []

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def index(self, **options: object) -> FolderIndex:
        made = FolderIndex(self.path, self.database, **{"wait": 30.0, **options})  # type: ignore[arg-type]
        self.opened.append(made)
        return made

    def close(self) -> None:
        for index in self.opened:
            index.close()


class Meanings:
    """An embedding model whose vectors count words; words of one group mean the same."""

    model = "test-embedding"
    groups = ({"buy", "purchase", "acquire"}, {"car", "automobile", "vehicle"})

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.questions: list[str] = []
        self.fail: list[Exception] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.batches.append(list(texts))
        if self.fail:
            raise self.fail.pop(0)
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        self.questions.append(text)
        if self.fail:
            raise self.fail.pop(0)
        return self._vector(text)

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * 64
        for word in re.findall(r"\w{3,}", text.lower()):
            group = next((at for at, words in enumerate(self.groups) if word in words), None)
            vector[group if group is not None else 2 + crc32(word.encode()) % 62] += 1.0
        return [value / (math.hypot(*vector) or 1.0) for value in vector]


def sources(passages: list[Passage]) -> list[str]:
    return [passage["source"] for passage in passages]


def pdf(*pages: str, title: str | None = None) -> bytes:
    """A small PDF file with one line of text for each line of a page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for page in pages:
        shown = "".join(f"({line}) Tj T* " for line in page.replace("(", "\\(").replace(")", "\\)").split("\n"))
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {shown}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /Resources {font} /Contents {len(objects)} 0 R >>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} /MediaBox [0 0 612 792] >>"
    if title is not None:
        objects.append(f"<< /Title ({title}) >>")
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(f"{at:010} 00000 n \n" for at in places)
    info = f" /Info {len(objects)} 0 R" if title is not None else ""
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R{info} >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + table.encode() + end.encode()
