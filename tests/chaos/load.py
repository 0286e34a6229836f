"""Starts the load (load/load.mjs) and tells it what to do."""
import json
import pathlib
import subprocess

from heddle_cluster import PATIENCE, wait_until

PROGRAM = pathlib.Path(__file__).with_name("load") / "load.mjs"


class Load:
    """One process of subscribers and publishers; `options` as in load.mjs. Ends with leave(), or kill()."""

    def __init__(self, options, command=()):
        """`command`: goes before it, as ["ip", "netns", "exec", "clients"]."""
        self.process = subprocess.Popen([*command, "node", PROGRAM, json.dumps(options)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the load has ended with {self.process.wait()}"
        return json.loads(line)

    def status(self):
        return self.tell("status")

    def is_back(self):
        """All subscribers are on."""
        status = self.status()
        return status["subscribed"] == status["subscribers"] and status

    def wait_back(self, patience=PATIENCE):
        return wait_until(self.is_back, "all subscribers are on", patience, pause=0.1)

    def publish(self):
        return self.tell("publish")

    def hold(self):
        return self.tell("hold")

    def leave(self):
        status = self.tell("leave")
        assert self.process.wait(PATIENCE) == 0
        return status

    def kill(self):
        """If it is still there."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
