/* ownership - one channel, two or three relays: who may give a position to a publication, and what a new owner has.
 *
 * relay/tenure.c judges as here; relay/mesh.c steps as here, but that the decision about a successor is one step
 * (ballot.pml is about that). README.md has what is assumed and left out.
 *
 * -DRELAYS=2|3, -DVIEWS=n successors decided, -DLEAVES=n times that a relay gives the others up, -DCRASHES=n, -DPUBS=n.
 * -DJUST: nobody is taken for dead that isn't; then no epoch may end (with three relays).
 * Planted: SKETCH, BOTH, EARLY. VOTER_ACKS lets a replica acknowledge after it has voted.
 */
#ifndef RELAYS
#define RELAYS 3
#endif
#ifndef VIEWS
#define VIEWS 2
#endif
#ifndef LEAVES
#define LEAVES 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef PUBS
#define PUBS 2
#endif

/* A relay is its name, 0 to 2, which is its rank, too. A member's id is a bit: that of the name, and three higher for the
 * name's second life. Views are sets of ids. */
#define ID(r) (1 << (relay[r].life * 3 + (r)))
#define FIRST(set) ((set) & 9 -> (set) & 9 : ((set) & 18 -> (set) & 18 : (set) & 36))
#define OWNER(set) FIRST(set)
#define REPLICA(set) FIRST((set) & ~FIRST(set))
#define BIT(set, i) ((set) >> (i) & 1)
#define COUNT(set) (BIT(set, 0) + BIT(set, 1) + BIT(set, 2) + BIT(set, 3) + BIT(set, 4) + BIT(set, 5))
#define IS_MAJORITY(some, all) (2 * COUNT((some) & (all)) > COUNT(all))
#define ALL (RELAYS == 2 -> 3 : 7)

#define LINEAGES (1 + LEAVES + VIEWS * (RELAYS - 1) + CRASHES)
#define NUMBERS (3 + VIEWS + LEAVES)
#define EPOCHS (2 + 2 * LEAVES + VIEWS * RELAYS + CRASHES * 2)

/* What is in force at a relay. */
#define NOTHING 0 /* no such channel */
#define STRAY 1
#define COPY 2
#define OWNED 3

typedef relay_t {
    bit up, life;
    byte lineage, number;
    bit voted, gave, copied;
    byte tenure, tag;
    bit foreign, renewed;
    byte epoch;
    byte top; /* publications that have a place */
    byte done; /* of these, in force: in the history, delivered, confirmed */
    byte log[PUBS];
    byte synced /* ids that have handed over */
};

/* What is on its way from an owner to its replica: the stream that it would make. */
typedef copies_t {
    byte from; /* id; 0 = nothing */
    byte number, epoch, tag, top;
    byte log[PUBS]
};

typedef copied_t {
    byte from, number, epoch, top
};

typedef lineage_t {
    byte view[NUMBERS]; /* decided; 0 = not yet */
    byte was[NUMBERS]; /* who has been in it */
    byte votes[NUMBERS] /* for a successor of it */
};

typedef stream_t {
    byte place[PUBS] /* what was delivered at that place */
};

relay_t relay[RELAYS];
copies_t copies[RELAYS * RELAYS];
copied_t copied[RELAYS * RELAYS];
lineage_t lineage[LINEAGES];
stream_t stream[EPOCHS];
byte lineages = 1, epochs = 1;
byte decisions, leaves, crashes;
byte k; /* scratch, 0 between steps */
byte a, c;
bit goes_on, all;

#define VIEW(r) lineage[relay[r].lineage].view[relay[r].number]
#define NEXT(r) lineage[relay[r].lineage].view[relay[r].number + 1]
#define WAS(r) lineage[relay[r].lineage].was[relay[r].number]
#define WIRE(from, to) ((from) * RELAYS + (to))
#define IN(r, set) (((set) & ID(r)) != 0)

/* --- what must hold --- */

/* A position is one publication's, a publication has one position in an epoch, and there are no holes. */
inline deliver(e_, at_, id_)
{
    assert(stream[e_].place[at_] == 0 || stream[e_].place[at_] == id_);
    assert(at_ == 0 || stream[e_].place[at_ - 1] != 0);
    stream[e_].place[at_] = id_;
    assert(PUBS < 2 || stream[e_].place[0] == 0 || stream[e_].place[0] != stream[e_].place[1])
#if PUBS > 2
    ;
    assert(stream[e_].place[2] == 0 || (stream[e_].place[2] != stream[e_].place[1] && stream[e_].place[2] != stream[e_].place[0]))
#endif
}

inline commit(r_, upto_)
{
    do
    :: relay[r_].done < upto_ ->
        deliver(relay[r_].epoch, relay[r_].done, relay[r_].log[relay[r_].done]);
        relay[r_].done++
    :: else -> break
    od
}

/* Who begins to serve an epoch has all that was ever delivered in it; and what it has is delivered to who asks. But who does
 * not know yet that its view is over has only what was there before: it can't add to that. */
inline serve(r_)
{
    relay[r_].tenure = OWNED;
    for (k : 0 .. PUBS - 1) {
        if
        :: k < relay[r_].done -> deliver(relay[r_].epoch, k, relay[r_].log[k])
        :: else -> assert(stream[relay[r_].epoch].place[k] == 0 || NEXT(r_) != 0)
        fi
    }
    k = 0
}

/* --- the channel at a relay --- */

/* What has a place and is not in force has none any more; its publisher sends it again. */
inline void(r_)
{
    do
    :: relay[r_].top > relay[r_].done ->
        relay[r_].top--;
        relay[r_].log[relay[r_].top] = 0
    :: else -> break
    od
}

inline renew(r_)
{
#ifdef JUST
    assert(RELAYS == 2);
#endif
    relay[r_].done = 0;
    void(r_);
    relay[r_].epoch = epochs;
    epochs++
}

/* --- judging: the table of docs/decisions/0009 --- */

inline judge_success(r_, from_, to_)
{
    goes_on = (to_ & (OWNER(from_) | REPLICA(from_))) != 0;
    all = goes_on && (relay[r_].tenure == OWNED ||
                      (relay[r_].tenure == COPY && REPLICA(from_) == ID(r_) && !(to_ & OWNER(from_))));
    c = (OWNER(from_) == OWNER(to_) && REPLICA(from_) == REPLICA(to_));
    if
    :: relay[r_].tenure == NOTHING
    :: relay[r_].tenure != NOTHING && OWNER(to_) == ID(r_) && all ->
        relay[r_].copied = relay[r_].copied && relay[r_].tenure == OWNED && c;
        relay[r_].tag = relay[r_].number;
        if
        :: relay[r_].tenure != OWNED -> serve(r_)
        :: else
        fi
    :: relay[r_].tenure != NOTHING && !(OWNER(to_) == ID(r_) && all) ->
        relay[r_].copied = 0;
        void(r_);
        if
        :: goes_on && relay[r_].tenure == COPY && c -> relay[r_].tag = relay[r_].number
        :: else -> relay[r_].tenure = STRAY
        fi;
        if
        :: !goes_on -> renew(r_)
        :: else
        fi
    fi
}

inline judge_leaving(r_, from_, doubtful_)
{
#ifdef SKETCH
    goes_on = IN(r_, OWNER(from_) | REPLICA(from_));
#else
#ifdef BOTH
    goes_on = COUNT(from_) == 2;
#else
    goes_on = (REPLICA(from_) == 0 -> OWNER(from_) == ID(r_) :
               COUNT(from_) == 2 && REPLICA(from_) == ID(r_) && !doubtful_);
#endif
#endif
    if
    :: relay[r_].tenure == NOTHING
    :: relay[r_].tenure != NOTHING ->
        if
        :: !goes_on || relay[r_].tenure == STRAY -> renew(r_)
        :: else
        fi;
        relay[r_].foreign = 0;
        relay[r_].renewed = 0;
        relay[r_].copied = 0;
        relay[r_].tag = relay[r_].number;
        serve(r_)
    fi
}

inline judge_joining(r_, from_)
{
    if
    :: relay[r_].tenure == NOTHING
    :: relay[r_].tenure != NOTHING ->
        void(r_);
        relay[r_].tenure = STRAY;
        relay[r_].renewed = relay[r_].renewed || COUNT(from_) != 1;
        relay[r_].foreign = 1;
        relay[r_].copied = 0
    fi
}

/* --- steps of the mesh --- */

inline enter(r_, lineage_, number_)
{
    relay[r_].lineage = lineage_;
    relay[r_].number = number_;
    relay[r_].voted = 0;
    relay[r_].gave = 0;
    relay[r_].synced = 0;
    WAS(r_) = WAS(r_) | ID(r_)
}

inline leave(r_, doubtful_)
{
    a = VIEW(r_);
    c = doubtful_;
    lineage[lineages].view[relay[r_].number + 1] = ID(r_);
    enter(r_, lineages, relay[r_].number + 1);
    lineages++;
    judge_leaving(r_, a, c)
}

/* A majority has voted for a successor. It consists of members that have been in the view, so they could promise, and
 * of relays of lesser lineages. */
inline decide(r_, to_)
{
    lineage[relay[r_].lineage].view[relay[r_].number + 1] = to_;
    decisions++
}

#define MAY_DECIDE(r) (relay[r].up && decisions < VIEWS && relay[r].number + 1 < NUMBERS && \
                       lineage[relay[r].lineage].view[relay[r].number + 1] == 0 && \
                       IS_MAJORITY(lineage[relay[r].lineage].votes[relay[r].number], VIEW(r)))

#define IS_GREATER(l, n, m, o) (COUNT(lineage[l].view[n]) != COUNT(lineage[m].view[o]) -> \
                                COUNT(lineage[l].view[n]) > COUNT(lineage[m].view[o]) : \
                                (n != o -> n > o : l < m))

/* May the relay x be in the successor that r decides on? */
#define MAY_STAY(r, x) (BIT(VIEW(r), x) || BIT(VIEW(r), x + 3))
#define MAY_JOIN(r, x) (relay[x].up && relay[x].lineage != relay[r].lineage && !MAY_STAY(r, x) && \
                        IS_GREATER(relay[r].lineage, relay[r].number, relay[x].lineage, relay[x].number))

#ifdef JUST
/* only the dead are left out */
#define MAY_LEAVE_OUT(r, x) (!relay[x].up || !(VIEW(r) & ID(x)))
#else
#define MAY_LEAVE_OUT(r, x) true
#endif

#define CHOOSE(x) \
    if \
    :: MAY_STAY(r, x) && (WAS(r) & VIEW(r) & (9 << x)) -> to = to | (VIEW(r) & (9 << x)) \
    :: MAY_JOIN(r, x) -> to = to | ID(x) \
    :: MAY_LEAVE_OUT(r, x) \
    fi

/* --- life --- */

inline crash(r_)
{
    crashes++;
    relay[r_].up = 0;
    relay[r_].tenure = NOTHING;
    relay[r_].done = 0;
    void(r_);
    relay[r_].tag = 0;
    relay[r_].epoch = 0;
    relay[r_].foreign = 0;
    relay[r_].renewed = 0;
    relay[r_].copied = 0;
    relay[r_].voted = 0;
    relay[r_].gave = 0;
    relay[r_].synced = 0
}

inline restart(r_)
{
    relay[r_].up = 1;
    relay[r_].life = 1;
    lineage[lineages].view[1] = ID(r_);
    enter(r_, lineages, 1);
    lineages++
}

/* --- publications and their copies --- */

inline send_copies(r_, to_)
{
    copies[WIRE(r_, to_)].from = ID(r_);
    copies[WIRE(r_, to_)].number = relay[r_].number;
    copies[WIRE(r_, to_)].epoch = relay[r_].epoch;
    copies[WIRE(r_, to_)].tag = relay[r_].tag;
    copies[WIRE(r_, to_)].top = relay[r_].top;
    for (k : 0 .. PUBS - 1) {
        copies[WIRE(r_, to_)].log[k] = relay[r_].log[k]
    }
    k = 0;
    relay[r_].copied = 1
}

inline drop_copies(w_)
{
    copies[w_].from = 0;
    copies[w_].number = 0;
    copies[w_].epoch = 0;
    copies[w_].tag = 0;
    copies[w_].top = 0;
    for (k : 0 .. PUBS - 1) {
        copies[w_].log[k] = 0
    }
    k = 0
}

inline drop_copied(w_)
{
    copied[w_].from = 0;
    copied[w_].number = 0;
    copied[w_].epoch = 0;
    copied[w_].top = 0
}

/* `source` is a copies_t or a relay_t, and `size` what it has of the stream. */
#define TAKE_STREAM(r_, source, size, tenure_, foreign_)          \
    relay[r_].epoch = source.epoch;                               \
    relay[r_].tag = source.tag;                                   \
    relay[r_].top = source.size;                                  \
    relay[r_].done = source.size;                                 \
    for (k : 0 .. PUBS - 1) {                                     \
        relay[r_].log[k] = (k < source.size -> source.log[k] : 0) \
    }                                                             \
    k = 0;                                                        \
    relay[r_].foreign = foreign_;                                 \
    relay[r_].renewed = 0;                                        \
    relay[r_].tenure = tenure_

#ifdef VOTER_ACKS
#define KEEPS(r) true
#else
#define KEEPS(r) (!relay[r].voted)
#endif

/* The replica keeps what it is sent in the view that it is in, and says so. */
inline take_copies(r_, w_, back_)
{
    if
    :: copies[w_].number == relay[r_].number && (VIEW(r_) & copies[w_].from) && KEEPS(r_) ->
        TAKE_STREAM(r_, copies[w_], top, COPY, 0);
        copied[back_].from = ID(r_);
        copied[back_].number = relay[r_].number;
        copied[back_].epoch = relay[r_].epoch;
        copied[back_].top = relay[r_].top
    :: else
    fi;
    drop_copies(w_)
}

inline take_copied(r_, w_)
{
    if
    :: copied[w_].number == relay[r_].number && (VIEW(r_) & copied[w_].from) && relay[r_].tenure == OWNED &&
        relay[r_].copied && copied[w_].epoch == relay[r_].epoch ->
        commit(r_, copied[w_].top)
    :: else
    fi;
    drop_copied(w_)
}

#define HAS_LOG(r, id) (relay[r].log[0] == id || relay[r].log[1] == id || relay[r].log[PUBS - 1] == id)

inline publish(r_, id_)
{
    relay[r_].log[relay[r_].top] = id_;
    relay[r_].top++;
    if
    :: REPLICA(VIEW(r_)) == 0 -> commit(r_, relay[r_].top)
    :: else ->
        c = (REPLICA(VIEW(r_)) & 18 -> 1 : 2);
        send_copies(r_, c);
#ifdef EARLY
        commit(r_, relay[r_].top)
#endif
    fi
}

#define REPLICA_ARRIVED(r) (REPLICA(VIEW(r)) & WAS(r))

/* --- handing over --- */

#define ALL_ARRIVED(r) (WAS(r) == VIEW(r))
#define SAME_VIEW(r, x) (relay[x].up && relay[x].lineage == relay[r].lineage && relay[x].number == relay[r].number)

/* Is what g sends better than what the owner r has? */
#define IS_BETTER(r, g) (relay[r].foreign || \
                         (relay[g].tag != relay[r].tag -> relay[g].tag > relay[r].tag : relay[g].done > relay[r].done))

inline give(g_, r_)
{
    relay[g_].gave = 1;
    relay[r_].synced = relay[r_].synced | ID(g_);
    if
    :: relay[g_].tenure == STRAY && relay[r_].tenure != OWNED &&
        (relay[g_].foreign -> !relay[g_].renewed && relay[r_].tenure == NOTHING :
         relay[r_].tenure == NOTHING || IS_BETTER(r_, g_)) ->
        TAKE_STREAM(r_, relay[g_], done, STRAY, relay[g_].foreign)
    :: else
    fi
}

#define MAY_TAKE(r) (relay[r].up && relay[r].tenure != OWNED && OWNER(VIEW(r)) == ID(r) && \
                     (COUNT(VIEW(r)) == 1 || (relay[r].synced | ID(r)) == VIEW(r)))

inline take(r_)
{
    if
    :: relay[r_].tenure == NOTHING ->
        relay[r_].epoch = epochs;
        epochs++
    :: relay[r_].tenure != NOTHING && relay[r_].foreign && relay[r_].renewed -> renew(r_)
    :: else
    fi;
    relay[r_].foreign = 0;
    relay[r_].renewed = 0;
    relay[r_].copied = 0;
    relay[r_].tag = relay[r_].number;
    serve(r_)
}

#define IS_ALONE(r) (COUNT(VIEW(r)) == 1)

#ifdef JUST
#define MAY_GIVE_UP(r) false
/* One after another: the one before is back and copied. */
#define MAY_CRASH(r) (relay[0].up && relay[1].up && relay[RELAYS - 1].up && SAME_VIEW(0, 1) && SAME_VIEW(0, RELAYS - 1) && \
                      COUNT(VIEW(0)) == RELAYS && relay[0].tenure == OWNED && relay[0].copied && relay[1].tenure == COPY && \
                      relay[1].epoch == relay[0].epoch && relay[1].tag == relay[1].number)
#else
#define MAY_GIVE_UP(r) (leaves < LEAVES && !IS_ALONE(r) && relay[r].number + 1 < NUMBERS)
#define MAY_CRASH(r) true
#endif

/* Assumed: what it left it does not come back to. */
#define MAY_COME(r, l, n) (!(lineage[l].was[n] & ID(r)))

proctype run_relay(byte r)
{
    byte x, to;
    do
    :: atomic {
        relay[r].up && relay[r].tenure == OWNED && relay[r].top < PUBS &&
            (REPLICA(VIEW(r)) == 0 || REPLICA_ARRIVED(r)) ->
        select(x : 1 .. PUBS);
        if
        :: !HAS_LOG(r, x) -> d_step { publish(r, x); c = 0 }
        :: else
        fi;
        x = 0
    }
    :: d_step { /* what waited for a replica when there is none any more */
        relay[r].up && relay[r].tenure == OWNED && REPLICA(VIEW(r)) == 0 && relay[r].done < relay[r].top ->
        commit(r, relay[r].top);
        c = 0
    }
    :: d_step { /* a new replica, or a new view, is told all of it */
        relay[r].up && relay[r].tenure == OWNED && REPLICA(VIEW(r)) != 0 && !relay[r].copied && REPLICA_ARRIVED(r) ->
        c = (REPLICA(VIEW(r)) & 18 -> 1 : 2);
        send_copies(r, c);
        c = 0
    }
    :: d_step { relay[r].up && r > 0 && copies[WIRE(0, r)].from != 0 -> take_copies(r, WIRE(0, r), WIRE(r, 0)) }
    :: d_step { relay[r].up && r == 2 && copies[WIRE(1, r)].from != 0 -> take_copies(r, WIRE(1, r), WIRE(r, 1)) }
    :: d_step { relay[r].up && r == 0 && copied[WIRE(1, r)].from != 0 -> take_copied(r, WIRE(1, r)) }
#if RELAYS == 3
    :: d_step { relay[r].up && r < 2 && copied[WIRE(2, r)].from != 0 -> take_copied(r, WIRE(2, r)) }
#endif
    :: d_step { /* votes */
        relay[r].up && !relay[r].voted && decisions < VIEWS && relay[r].number + 1 < NUMBERS ->
        relay[r].voted = 1;
        lineage[relay[r].lineage].votes[relay[r].number] = lineage[relay[r].lineage].votes[relay[r].number] | ID(r)
    }
    :: atomic { /* decides what its majority voted for */
        MAY_DECIDE(r) ->
        CHOOSE(0);
        CHOOSE(1);
#if RELAYS == 3
        CHOOSE(2);
#endif
        if
        :: to != 0 -> d_step { decide(r, to); to = 0 }
        :: else
        fi
    }
    :: d_step { /* learns it */
        relay[r].up && relay[r].number + 1 < NUMBERS && NEXT(r) != 0 ->
        a = VIEW(r);
        if
        :: IN(r, NEXT(r)) ->
            enter(r, relay[r].lineage, relay[r].number + 1);
            judge_success(r, a, VIEW(r))
        :: else -> leave(r, 1)
        fi;
        a = 0;
        c = 0;
        goes_on = 0;
        all = 0
    }
    :: d_step { /* gives the others up */
        relay[r].up && MAY_GIVE_UP(r) ->
        leaves++;
        leave(r, relay[r].voted);
        a = 0;
        c = 0;
        goes_on = 0
    }
    :: atomic { /* joins */
        relay[r].up && lineages > 1 && decisions > 0 ->
        select(x : 0 .. lineages - 1);
        select(to : 2 .. NUMBERS - 1);
        if
        :: d_step {
            x != relay[r].lineage && IN(r, lineage[x].view[to]) && COUNT(lineage[x].view[to]) > 1 && MAY_COME(r, x, to) &&
                IS_GREATER(x, to, relay[r].lineage, relay[r].number) ->
            a = VIEW(r);
            enter(r, x, to);
            judge_joining(r, a);
            a = 0
        }
        :: else
        fi;
        x = 0;
        to = 0
    }
    :: d_step { /* hands over, to each that owns it in this view */
        relay[r].up && !relay[r].gave && r != 0 && SAME_VIEW(r, 0) && ALL_ARRIVED(r) && OWNER(VIEW(r)) == ID(0) -> give(r, 0)
    }
#if RELAYS == 3
    :: d_step {
        relay[r].up && !relay[r].gave && r == 2 && SAME_VIEW(r, 1) && ALL_ARRIVED(r) && OWNER(VIEW(r)) == ID(1) -> give(r, 1)
    }
#endif
    :: d_step { MAY_TAKE(r) -> take(r) }
    :: d_step { relay[r].up && crashes < CRASHES && !relay[r].life && MAY_CRASH(r) -> crash(r) }
    :: d_step { !relay[r].up -> restart(r) }
    od
}

init
{
    d_step {
        lineage[0].view[1] = ALL;
        lineage[0].was[1] = ALL;
        for (k : 0 .. RELAYS - 1) {
            relay[k].up = 1;
            relay[k].number = 1;
            relay[k].tag = 1;
            relay[k].gave = 1
        }
        k = 0;
        relay[0].tenure = OWNED;
        relay[0].copied = 1;
        relay[1].tenure = COPY
    }
    atomic {
        run run_relay(0);
        run run_relay(1);
#if RELAYS == 3
        run run_relay(2)
#endif
    }
}
