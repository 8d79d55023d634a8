"""A language server for TOML (tombi) as an editor talks to it: documents are opened, keys proposed, descriptions shown."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast


class Server:
    """One session over the server's standard streams."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process, self.n_asked = process, 0

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request."""
        self.n_asked += 1
        self._send({"id": self.n_asked, "method": method, "params": params})
        while "method" in (heard := self._hear()) or heard.get("id") != self.n_asked:
            continue
        return heard.get("result")

    def tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def open(self, path: Path) -> None:
        document = {"uri": path.as_uri(), "languageId": "toml", "version": 1, "text": path.read_text("utf-8")}
        self.tell("textDocument/didOpen", textDocument=document)
        while self._hear().get("method") != "textDocument/publishDiagnostics":  # then it has read the schema too
            continue

    def proposed(self, path: Path, line: int, column: int) -> list[str]:
        """What is proposed at a place, both counted from 1."""
        found = self.ask("textDocument/completion", **_place(path, line, column))
        return [one["label"] for one in (found["items"] if isinstance(found, dict) else found or [])]

    def shown(self, path: Path, line: int, column: int) -> str:
        """What is shown about a place."""
        found = self.ask("textDocument/hover", **_place(path, line, column))
        return cast(str, found["contents"]["value"]) if found else ""

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        self.process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the language server has gone"
        heard = cast(dict[str, Any], json.loads(self.process.stdout.read(length)))
        if "method" in heard and "id" in heard:  # it asks back: there is nothing to tell
            self._send({"id": heard["id"], "result": None})
        return heard


def _place(path: Path, line: int, column: int) -> dict[str, Any]:
    return {"textDocument": {"uri": path.as_uri()}, "position": {"line": line - 1, "character": column - 1}}


@contextmanager
def serving(program: Path, folder: Path) -> Iterator[Server]:
    command = [program, "lsp", "--offline", "--no-cache"]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            server = Server(process)
            workspace = [{"uri": folder.as_uri(), "name": folder.name}]
            server.ask(
                "initialize",
                processId=None,
                rootUri=folder.as_uri(),
                workspaceFolders=workspace,
                capabilities={"textDocument": {"completion": {"completionItem": {}}, "hover": {}}},
            )
            server.tell("initialized")
            yield server
        finally:
            process.kill()
