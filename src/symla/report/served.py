"""Pages served on this machine alone, made anew whenever they are asked for."""

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from symla.core.errors import SettingError

HOST = "127.0.0.1"


def server(pages: Mapping[str, Callable[[], str]], port: int = 0) -> ThreadingHTTPServer:
    """Of pages by path, "/" and others. It listens once this returns, and answers in
    `serve_forever()`; its port is `server_port`.

    A fault in making a page is shown on it. Raises SettingError where it cannot listen.
    """

    class PageHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in pages:
                self.send_error(404)
                return
            try:
                status, text = 200, pages[self.path]()
            except Exception as error:  # of a run that is being written: the next one may be well
                status, text = 500, f"{type(error).__name__}: {error}"
            body = text.encode()
            self.send_response(status)
            kind = "text/html" if status == 200 else "text/plain"
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the terminal is for what a person asked for."""

    try:
        return ThreadingHTTPServer((HOST, port), PageHandler)
    except (OSError, OverflowError) as error:
        raise SettingError(f"cannot listen on {HOST}:{port}: {error}; choose another --port") from (
            error
        )
