# SPDX-License-Identifier: GPL-3.0-or-later
"""People who use a server all the time, in threads: some go on reading, others sign in, one after the other."""

import threading
import time

from visitor import Visitor


class Load:
    """Runs from start() to stop(). `faults` are answers that a signed-in user must never get; `visitors` everybody who
    has signed in, each with the form that did it in `form`."""

    def __init__(self, httpd, entra, url, text):
        self.httpd, self.entra, self.url, self.text = httpd, entra, url, text
        self.lock = threading.Lock()  # the lookalike serves one at a time
        self.ending = threading.Event()
        self.threads = []
        self.visitors = []
        self.faults = []
        self.requests = 0

    def start(self, readers=3, arrivals=2, pause=0.05):
        for visitor in [self.sign_in() for _ in range(readers)]:
            self.run(self.read, visitor)
        for _ in range(arrivals):
            self.run(self.arrive, pause)
        return self

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, f"{len(self.faults)} of {self.requests}: {self.faults[:5]}"

    def run(self, task, argument):
        self.threads.append(threading.Thread(target=self.guard, args=(task, argument), daemon=True))
        self.threads[-1].start()

    def guard(self, task, argument):
        """Whatever goes wrong is a fault, and the client goes on."""
        while not self.ending.is_set():
            try:
                task(argument)
            except Exception as error:  # also of the connection: a restart must not cost anybody a request
                self.faults.append(f"{task.__name__}: {error!r}")

    def read(self, visitor):
        page = visitor.open(self.url)
        self.requests += 1
        assert page.status == 200 and page.text == self.text, f"{page.status} {page.location} {page.text[:200]}"

    def arrive(self, pause):
        self.read(self.sign_in())
        time.sleep(pause)

    def ask(self):
        """Somebody who has come back from Entra: the form is in his hands."""
        visitor = Visitor(self.httpd.network, self.entra)
        asked = visitor.ask(self.url)
        with self.lock:
            visitor.form = visitor.answer(asked)
        return visitor

    def sign_in(self):
        visitor = self.ask()
        page = visitor.submit(visitor.form)
        self.requests += 3
        assert page.status == 200 and page.text == self.text, f"{page.status} {page.location} {page.text[:200]}"
        self.visitors.append(visitor)
        return visitor
