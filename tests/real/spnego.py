"""A web server that answers nobody without a ticket; run by Debian's Python, which has python3-gssapi.

spnego.py HOST PORT KEYTAB STATE      STATE is a file whose text is "active" or "standby"

Answers as a NameNode does: /isActive is 200 or 405. Each answer carries the server's own proof.
"""
import base64
import http.server
import os
import pathlib
import sys

import gssapi


class Secure(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Negotiate":
            return self.answer(401, "who asks?", "Negotiate")
        try:
            context = gssapi.SecurityContext(creds=credentials, usage="accept")
            proof = context.step(base64.b64decode(token))
        except (gssapi.exceptions.GSSError, ValueError) as error:
            return self.answer(401, str(error), "Negotiate")
        proof = "Negotiate " + base64.b64encode(proof or b"").decode()
        print("asked by", context.initiator_name, flush=True)
        if state.read_text().strip() == "active":
            return self.answer(200, "I am Active!", proof)
        self.answer(405, "It is not active", proof)

    def answer(self, status, text, proof):
        self.send_response(status)
        self.send_header("WWW-Authenticate", proof)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


host, port, os.environ["KRB5_KTNAME"] = sys.argv[1:4]
state = pathlib.Path(sys.argv[4])
credentials = gssapi.Credentials(usage="accept")
http.server.ThreadingHTTPServer((host, int(port)), Secure).serve_forever()
