"""A hub on this machine: as much of the Hugging Face hub's interface as its client needs for a small model."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """What the server holds: repositories, and of each the files of every commit; `asked` are the requests so far.

    With a `page`, that is all it answers; `sums` are of files whose SHA-256 it lists as another.
    """

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.heads: dict[str, str] = {}
        self.asked: list[str] = []
        self.token: str | None = None
        self.page: bytes | None = None
        self.sums: dict[str, str] = {}
        self.address = ""

    def commit(self, repository: str, files: dict[str, bytes]) -> str:
        """A new commit with these files too."""
        before = self.commits.setdefault(repository, {}).get(self.heads.get(repository, ""), {})
        sha = hashlib.sha1(repr((repository, len(self.commits[repository]), sorted(files))).encode()).hexdigest()
        self.commits[repository][sha] = before | files
        self.heads[repository] = sha
        return sha


@contextmanager
def hub_running() -> Iterator[Hub]:
    """A hub that answers until the block ends; its `address` is what HF_ENDPOINT wants."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def say(self, told: object, code: int = 200) -> None:
            self.answer(code, json.dumps(told).encode(), Content_Type="application/json")

        def missing(self, what: str, code: int = 404) -> None:
            self.answer(code, b"{}", X_Error_Code=what, X_Error_Message=what)

        def listed(self, name: str, content: bytes) -> dict[str, object]:
            sha256 = hub.sums.get(name, hashlib.sha256(content).hexdigest())
            large = {"lfs": {"size": len(content), "sha256": sha256, "pointerSize": 134}}
            return {"rfilename": name} | (large if name.endswith(".safetensors") else {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hub.asked.append(f"POST {self.path}")
            if hub.token is not None and self.headers.get("Authorization") != f"Bearer {hub.token}":
                self.missing("RepoNotFound", 401)
            elif self.path == "/api/repos/create":
                told = json.loads(body)
                name = f"{told.get('organization') or 'me'}/{told['name']}"
                hub.commits.setdefault(name, {})
                self.say({"url": f"{hub.address}/{name}", "name": name, "id": name})
            elif self.path.startswith("/api/validate-yaml"):
                self.say({"errors": [], "warnings": []})
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/.+", self.path):
                files = json.loads(body)["files"]
                self.say(
                    {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
                )
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/.+", self.path):
                lines = [json.loads(line) for line in body.splitlines()]
                values = [line["value"] for line in lines if line["key"] == "file"]
                sha = hub.commit(found[1], {v["path"]: base64.b64decode(v["content"]) for v in values})
                url = f"{hub.address}/{found[1]}/commit/{sha}"
                self.say({"success": True, "commitOid": sha, "commitUrl": url})
            else:
                self.missing("EntryNotFound")

        def do_GET(self) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            if hub.page is not None:
                self.answer(200, hub.page, Content_Type="text/html")
                return
            api = re.fullmatch(r"/api/models/([^/]+/[^/?]+)(/revision/([^?]+))?(\?.*)?", self.path)
            file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/([^?]+)", self.path)
            repository = (api or file or [None, ""])[1]
            allowed = hub.token is None or self.headers.get("Authorization") == f"Bearer {hub.token}"
            if repository not in hub.commits or not allowed:
                self.missing("RepoNotFound", 404 if allowed else 401)
                return
            revision = (api[3] or "main") if api else file[2] if file else "main"
            sha = hub.heads.get(repository, "") if revision == "main" else revision
            if sha not in hub.commits[repository]:
                self.missing("RevisionNotFound")
            elif api:
                files = [self.listed(name, content) for name, content in hub.commits[repository][sha].items()]
                self.say({"id": repository, "modelId": repository, "sha": sha, "siblings": files, "tags": []})
            elif file and (content := hub.commits[repository][sha].get(file[3])) is not None:
                etag = f'"{hashlib.sha1(content).hexdigest()}"'
                self.answer(200, content, ETag=etag, X_Repo_Commit=sha, Accept_Ranges="bytes")
            else:
                self.missing("EntryNotFound")

        def do_HEAD(self) -> None:
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
