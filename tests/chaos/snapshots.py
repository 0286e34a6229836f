"""Writes down what the API and the metrics say at one moment: the record kinds history, presence and metrics."""
import http.client
import json
import urllib.parse
import zlib


class Api:
    """The HTTP API at one edge, over one connection."""

    def __init__(self, base, key, timeout=15):
        url = urllib.parse.urlsplit(base)
        self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
        self.key = key

    def call(self, method, body):
        self.connection.request("POST", f"/api/{method}", json.dumps(body), {"X-API-Key": self.key})
        answer = json.loads(self.connection.getresponse().read())
        if "error" in answer:
            raise RuntimeError(f"{method} {body}: {answer['error']}")
        return answer["result"]

    def close(self):
        self.connection.close()


def identify(data):
    """[id, hash] of a payload of the load's."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    id_ = data.get("id", "") if isinstance(data, dict) else ""
    return [id_, zlib.crc32(text.encode())]


def read_history(api, channel):
    """(epoch, offset, [[offset, id, hash], ...]) of all that is kept, in as many calls as it takes."""
    result = api.call("history", {"channel": channel, "limit": -1})
    found = result["publications"]
    while result["publications"] and found[-1]["offset"] < result["offset"]:
        since = {"epoch": result["epoch"], "offset": found[-1]["offset"]}
        result = api.call("history", {"channel": channel, "limit": -1, "since": since})
        found += result["publications"]
    return result["epoch"], result["offset"], [[one["offset"], *identify(one["data"])] for one in found]


def record_histories(writer, api, channels):
    for channel in channels:
        writer.write("history", channel, *read_history(api, channel))


def record_presence(writer, api, channels):
    for channel in channels:
        members = api.call("presence", {"channel": channel})["presence"].values()
        writer.write("presence", channel, [[member["client"], member["user"]] for member in members])


def record_starts(writer, processes):
    for process in processes:
        writer.write("process", process.name, process.pid, process.starts)


def record_metrics(writer, processes, moment):
    """Of heddle_cluster's processes, those that run."""
    for process in processes:
        if process.is_running():
            writer.write("metrics", process.name, moment, process.metrics())
