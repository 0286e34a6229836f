"""Defects for generated runs. A plant changes a run's records in one random place, as a node with that defect would
have made them; where a run has no such place it says so with Nowhere. `broken` is what the checker has to find, no
more and no less.
"""
import collections

ACCEPTED = 'heddle_relay_publications_total{result="accepted"}'

PLANTS = []


class Nowhere(Exception):
    pass


class Plant(collections.namedtuple("Plant", "name broken apply faults")):
    def __str__(self):
        return self.name


def plant(broken, faults=True):
    def keep(function):
        PLANTS.append(Plant(function.__name__, broken, function, faults))
        return function
    return keep


def choose(run, candidates):
    candidates = list(candidates)
    if not candidates:
        raise Nowhere
    return run.random.choice(candidates)


def record(run, index):
    return run.records[index][1]


def delete(run, indices):
    gone = set(indices)
    run.records[:] = [entry for index, entry in enumerate(run.records) if index not in gone]


def insert(run, index, *record_):
    """Behind the record `index`, at its time."""
    file, before = run.records[index]
    run.records.insert(index + 1, [file, [record_[0], before[1], *record_[1:]]])


def sightings(run):
    """(channel, epoch, offset) -> how many saw what is there."""
    seen = collections.Counter()
    for _, one in run.records:
        if one[0] == "pub":
            seen[tuple(one[3:6])] += 1
        elif one[0] == "history":
            for offset, _, _ in one[5]:
                seen[one[2], one[3], offset] += 1
    return seen


def pairs(run):
    """Two publications that a session got one behind the other."""
    last = {}
    for index, (_, one) in enumerate(run.records):
        if one[0] == "pub":
            before = last.get(one[2])
            if before is not None and one[5] == record(run, before)[5] + 1 and one[4] == record(run, before)[4]:
                yield before, index
            last[one[2]] = index
        elif one[0] in ("subscribed", "disconnected"):
            last.pop(one[2], None)


def pair_that_others_saw(run):
    seen = sightings(run)
    return choose(run, ((a, b) for a, b in pairs(run) if seen[tuple(record(run, a)[3:6])] > 1))


def acknowledged(run):
    return {one[2]: (index, one) for index, (_, one) in enumerate(run.records) if one[0] == "ok"}


def count(run, process, name, by):
    for index in run.of("metrics"):
        if record(run, index)[2] == process:
            record(run, index)[4][name] += by


def metrics_of(run, moment):
    """The edge's."""
    return next(one[4] for _, one in run.records if one[0] == "metrics" and one[2:4] == ["edge-1", moment])


def count_refusals(run, by):
    count(run, "edge-1", "heddle_client_unrecovered_total", by)


# --- deliveries ---

@plant({"I4"})
def a_dropped_delivery(run):
    delete(run, [pair_that_others_saw(run)[0]])


@plant({"I4"})
def several_dropped_deliveries(run):
    seen = sightings(run)
    followers = dict(pairs(run))
    first = choose(run, (one for one, second in followers.items() if second in followers and
                         seen[tuple(record(run, one)[3:6])] > 1))
    delete(run, [first, followers[first]])


@plant({"I4"})
def a_delivery_twice(run):
    index = choose(run, run.of("pub"))
    insert(run, index, *record(run, index)[:1], *record(run, index)[2:])


@plant({"I4"})
def two_deliveries_swapped(run):
    first, second = pair_that_others_saw(run)
    a, b = record(run, first), record(run, second)
    a[2:], b[2:] = b[2:], a[2:]
    mend_times(run, a, b)


def mend_times(run, *swapped):
    """What was swapped is not seen before it was published: the earlier one comes right before the later one."""
    times = [one[1] for one in swapped]
    for one in swapped:
        one[1] = max(times)
    run.records.sort(key=lambda entry: entry[1][1])


@plant({"I2"})
def two_payloads_swapped(run):
    first, second = pair_that_others_saw(run)
    a, b = record(run, first), record(run, second)
    a[6:], b[6:] = b[6:], a[6:]
    a[1] = b[1]
    run.records.sort(key=lambda entry: entry[1][1])


@plant({"I1"})
def a_wrong_payload(run):
    record(run, choose(run, run.of("pub")))[7] ^= 1


@plant({"I1"})
def a_wrong_payload_in_a_history(run):
    history = record(run, choose(run, (index for index in run.of("history") if record(run, index)[5])))
    run.random.choice(history[5])[2] ^= 1


@plant({"I1"})
def a_message_from_nowhere(run):
    seen = sightings(run)
    index = choose(run, (index for index in run.of("pub") if seen[tuple(record(run, index)[3:6])] > 1))
    record(run, index)[6] = "p.x"


@plant({"I1"})
def a_message_of_another_channel(run):
    seen = sightings(run)
    index = choose(run, (index for index in run.of("pub") if seen[tuple(record(run, index)[3:6])] > 1))
    other = choose(run, (one for one in run.of("pub")[:200] if one < index and
                         record(run, one)[3] != record(run, index)[3]))
    record(run, index)[6:] = record(run, other)[6:]


@plant({"I11"})
def a_delivery_after_the_end(run):
    for index in run.random.sample(found := run.of("disconnected"), len(found)):
        name = record(run, index)[2]
        before = [one for one in run.of("pub") if one < index and record(run, one)[2] == name]
        if before:
            insert(run, index, "pub", *record(run, before[-1])[2:])
            return
    raise Nowhere


@plant({"I7"})
def a_refused_publication_delivered(run):
    begin, end = (record(run, run.of(kind)[which])[1] for kind, which in (("fault", 0), ("healed", -1)))
    seen = {one[6] for _, one in run.records if one[0] == "pub"}
    invoked = {record(run, index)[2]: record(run, index)[1] for index in run.of("invoke")}
    index = choose(run, (index for index in run.of("ok") if record(run, index)[2] in seen and
                         begin < invoked[record(run, index)[2]] < end))
    run.records[index][1] = ["fail", *record(run, index)[1:3], 103]


# --- streams ---

def shift(run, channel, epoch, offset):
    """Everything from there on stands one further."""
    for _, one in run.records:
        if one[0] in ("pub", "subscribed") and one[3:5] == [channel, epoch] and one[5] >= offset:
            one[5] += 1
        elif one[0] == "history" and one[2:4] == [channel, epoch]:
            one[4] += one[4] >= offset
            for entry in one[5]:
                entry[0] += entry[0] >= offset
    channels = {one[2]: one[3] for _, one in run.records if one[0] == "invoke"}
    for _, one in run.records:
        if one[0] == "ok" and channels[one[2]] == channel and one[3] == epoch and one[4] >= offset:
            one[4] += 1


@plant({"I3"}, faults=False)
def a_position_left_out(run):
    _, index = choose(run, pairs(run))
    shift(run, *record(run, index)[3:6])


@plant({"I2"}, faults=False)
def a_publication_at_two_positions(run):
    """Published again by a retry that nobody recognised: all see it twice."""
    index = choose(run, run.of("pub"))
    channel, epoch, offset, id_, hash_ = record(run, index)[3:]
    shift(run, channel, epoch, offset + 1)
    for _, one in run.records:
        if one[0] == "history" and one[2] == channel and any(entry[0] == offset + 2 for entry in one[5]):
            one[5].append([offset + 1, id_, hash_])
            one[5].sort()
    for one in reversed(run.of("pub")):
        if record(run, one)[3:6] == [channel, epoch, offset]:
            insert(run, one, "pub", record(run, one)[2], channel, epoch, offset + 1, id_, hash_)


@plant({"I8"})
def an_order_against_time(run):
    """What came later stands earlier."""
    answers = acknowledged(run)
    first_seen = {}
    for index in run.of("pub"):
        first_seen.setdefault(record(run, index)[6], record(run, index)[1])
    invokes = {record(run, index)[2]: record(run, index) for index in run.of("invoke")}

    def can_move(early, late):
        """`early` stands before `late`, and may be published once `late` has been acknowledged."""
        if early not in answers or late not in answers:
            return False
        answered = answers[late][1][1]
        return answered + 1 < min(first_seen[early], answers[early][1][1])

    a, b = choose(run, ((a, b) for a, b in pairs(run) if can_move(record(run, a)[6], record(run, b)[6])))
    early, late = record(run, a)[6], record(run, b)[6]
    invokes[early][1] = answers[late][1][1] + 1
    run.records.sort(key=lambda entry: entry[1][1])


# --- recovery ---

@plant({"I5"})
def an_epoch_that_ends_in_silence(run):
    """A session stays on, and is never told."""
    index = choose(run, changes_of_epoch(run))
    name = record(run, index)[2]
    before = max(one for one in run.of("disconnected") if one < index and record(run, one)[2] == name
                 and record(run, one)[3] == 1006)
    delete(run, [one for one in run.of("disconnected", "subscribed", "refused")
                 if before <= one <= index and record(run, one)[2] == name])


def changes_of_epoch(run):
    """Where sessions are told, and get something of the new epoch before they go again."""
    last = {}
    for index, (_, one) in enumerate(run.records):
        if one[0] == "subscribed":
            if one[2] in last and last[one[2]] != one[4] and is_used(run, index):
                yield index
            last[one[2]] = one[4]


def is_used(run, index):
    name = record(run, index)[2]
    for _, one in run.records[index + 1:]:
        if one[0] in ("pub", "disconnected", "leave") and one[2] == name:
            return one[0] == "pub"
    return False


@plant({"I5"})
def another_epoch_told_as_recovered(run):
    index = choose(run, (index for index in changes_of_epoch(run) if record(run, index)[7]))
    record(run, index)[6] = True


@plant({"I5"})
def a_recovery_at_another_position(run):
    index, subscriber, top = choose(run, (one for one in run.recoveries if one[2] > record(run, one[0])[5]))
    delivered = [one for one in run.of("pub") if one > index and record(run, one)[2] == subscriber.name]
    record(run, index)[5] += 1
    delete(run, delivered[:1])


@plant({"I5"})
def an_unjustified_refusal(run):
    index, subscriber, top = choose(run, run.recoveries)
    name, offset = subscriber.name, record(run, index)[5]
    delivered = [one for one in run.of("pub") if one > index and record(run, one)[2] == name]
    record(run, index)[5:7] = [top, False]
    count_refusals(run, 1)
    delete(run, delivered[:top - offset])


@plant({"I5"})
def an_epoch_that_ends_without_a_cause(run):
    for _, one in run.records:
        if one[0] == "run":
            one[2]["epoch_ends_on"] = []
    choose(run, changes_of_epoch(run))


@plant({"I8"})
def a_top_that_goes_back_after_a_move(run):
    index, subscriber, _ = choose(run, (one for one in run.recoveries if record(run, one[0])[5] > 3))
    again = record(run, index)
    log = {one[5]: one for _, one in run.records if one[0] == "pub" and one[3:5] == again[3:5]}
    offset = again[5]
    back = offset - run.random.randint(1, 3)
    if any(one not in log for one in range(back + 1, offset + 1)):
        raise Nowhere
    again[5:7] = [back, False]
    count_refusals(run, 1)
    for one in range(offset, back, -1):
        insert(run, index, "pub", subscriber.name, *log[one][3:])


@plant({"I9"})
def an_acknowledgement_in_an_epoch_that_has_ended(run):
    index = choose(run, changes_of_epoch(run))
    _, at, _, channel, epoch = record(run, index)[:5]
    old = next(one[4] for _, one in run.records if one[0] == "subscribed" and one[3] == channel and one[4] != epoch)
    invoked = {record(run, one)[2] for one in run.of("invoke") if record(run, one)[1] > at and
               record(run, one)[3] == channel}
    answer = record(run, choose(run, (one for one in run.of("ok") if record(run, one)[2] in invoked)))
    answer[3:] = [old, 1_000_000]


@plant({"I9"})
def an_epoch_that_comes_back(run):
    """One session is told an epoch that it has left, and then the right one again."""
    index = choose(run, (index for index in changes_of_epoch(run) if is_relay_down(run, index)))
    _, _, name, channel, epoch, offset, _, _ = record(run, index)
    old = [one[4] for _, one in run.records[:index] if one[0] == "subscribed" and one[2] == name][-1]
    for told in ((epoch, offset), (old, 0)):
        insert(run, index, "subscribed", name, channel, *told, False, True)
    count_refusals(run, 2)


def is_relay_down(run, index):
    """The changes of epoch there are justified."""
    last = [one for _, one in run.records[:index] if one[0] in ("fault", "healed")][-1]
    return last[0] == "fault" and last[4] == "relay-1"


# --- loss ---

def seen_and_covered(run, with_position):
    """Acknowledged publications that a session saw in its middle."""
    answers = acknowledged(run)
    for first, _ in pairs(run):
        id_ = record(run, first)[6]
        if id_ in answers and bool(answers[id_][1][3]) == with_position:
            yield first


def lose(run, with_position):
    lost = record(run, choose(run, seen_and_covered(run, with_position)))[6]
    for _, one in run.records:
        if one[0] == "history":
            one[5][:] = [entry for entry in one[5] if entry[1] != lost]
    delete(run, [index for index in run.of("pub") if record(run, index)[6] == lost])


@plant({"I6"}, faults=False)
def an_acknowledged_publication_lost(run):
    lose(run, True)


@plant({"I6"}, faults=False)
def a_publication_lost_that_was_acknowledged_without_a_position(run):
    lose(run, False)


@plant({"I6"}, faults=False)
def an_acknowledged_publication_that_never_got_a_place(run):
    index = choose(run, run.of("ok"))
    insert(run, index, "ok", "p.lost", "", 0)
    insert(run, index, "invoke", "p.lost", "c0", 7, "api")
    count(run, "relay-1", ACCEPTED, 1)


@plant({"I6"})
def a_stale_history(run):
    """As of a replica that has not got the latest."""
    history = record(run, choose(run, (index for index in run.of("history") if len(record(run, index)[5]) > 3)))
    behind = run.random.randint(1, 3)
    del history[5][-behind:]
    history[4] -= behind


@plant({"I6"})
def a_history_without_its_end(run):
    history = record(run, choose(run, (index for index in run.of("history") if record(run, index)[5])))
    history[5].pop()


@plant({"I6"})
def a_history_without_its_middle(run):
    history = record(run, choose(run, (index for index in run.of("history") if len(record(run, index)[5]) > 3)))
    del history[5][run.random.randint(1, len(history[5]) - 2)]


@plant({"I6"})
def a_history_that_is_cut_off(run):
    begun = run.time - 1_500_000
    invoked = {record(run, one)[2]: record(run, one)[1] for one in run.of("invoke")}
    history = record(run, choose(run, (index for index in run.of("history") if record(run, index)[5] and
                                       invoked[record(run, index)[5][0][1]] > begun)))
    del history[5][0]


# --- liveness, presence, metrics ---

@plant({"I12"})
def a_tail_that_does_not_come(run):
    names = {record(run, index)[2] for index in run.of("pub")}
    name = choose(run, sorted(names))
    delete(run, [index for index in run.of("pub") if record(run, index)[2] == name][-1:])


@plant({"I12"})
def a_session_that_does_not_come_back(run):
    index = choose(run, run.of("leave"))
    file, (_, at, name) = run.records[index]
    run.records.insert(index, [file, ["disconnected", at, name, 1006]])


@plant({"I12"}, faults=False)
def a_publication_that_fails_in_peace(run):
    index = choose(run, run.of("ok"))
    run.records[index][1] = ["unknown", *record(run, index)[1:3], 100]


@plant({"I12"})
def a_connection_left_behind(run):
    metrics_of(run, "rest")["heddle_client_connections"] = 1


@plant({"I13"})
def a_ghost_of_a_dead_session(run):
    clients = [(record(run, index)[3], record(run, index)[2]) for index in run.of("connected")]
    last = dict((user, client) for client, user in clients)
    channels = {record(run, index)[2]: record(run, index)[3] for index in run.of("subscribed")}
    client, user = choose(run, (one for one in clients if one[0] and last[one[1]] != one[0]))
    snapshot = next(record(run, index) for index in run.of("presence") if record(run, index)[2] == channels[user])
    snapshot[3].append([client, user])


@plant({"I13"})
def a_ghost_of_nobody(run):
    record(run, choose(run, run.of("presence")))[3].append(["client-x", "x"])


@plant({"I13"})
def a_member_that_is_not_listed(run):
    members = record(run, choose(run, run.of("presence")))[3]
    members.remove(run.random.choice(members))


@plant({"I10"})
def memory_out_of_bounds(run):
    record(run, choose(run, run.of("metrics")))[4]["process_resident_memory_bytes"] = 1 << 31


@plant({"I15"})
def fewer_publications_counted(run):
    count(run, "relay-1", ACCEPTED, -100)


@plant({"I15"}, faults=False)
def a_publication_counted_twice(run):
    count(run, "relay-1", ACCEPTED, 1)


@plant({"I15"})
def a_refusal_not_counted(run):
    if not run.refusals:
        raise Nowhere
    count_refusals(run, -1)


@plant({"I15"}, faults=False)
def a_refusal_counted_that_was_none(run):
    count_refusals(run, 1)


@plant({"I15"})
def a_subscription_counted_that_is_none(run):
    metrics_of(run, "quiet")["heddle_client_subscriptions"] += 1
