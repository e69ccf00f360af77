"""An internet in which every address holds the same bytes, and everything that was asked for is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import requests


@dataclass
class Internet:
    """What answers, and what was asked."""

    content: bytes = b""
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, address: str, **_: object) -> Internet:
        self.asked.append(address)
        if self.error:
            raise self.error
        return self

    def raise_for_status(self) -> None:
        pass

    def iter_content(self, chunk_size: int):
        return (self.content[at : at + chunk_size] for at in range(0, len(self.content), chunk_size))


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes = b"") -> Internet:
    """Put these bytes in the place of the internet."""
    internet = Internet(content)
    monkeypatch.setattr(requests, "get", internet.get)
    return internet
