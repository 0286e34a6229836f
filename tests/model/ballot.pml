/* ballot - the vote about one successor of a view, as in relay/ballot.c and relay/mesh.c.
 *
 * Three members, two of which propose. Whatever was sent may arrive at any later time, in any order, or never. Each
 * proposal wants a value of its own, named by its ballot. Only one value may be decided.
 *
 * Planted: NO_PROMISE (votes whatever was promised), IGNORES_VOTES (a proposer keeps its own value whatever it is told),
 * LONELY (one vote is a majority).
 */
#define MEMBERS 3
#define PROPOSERS 2
#define COUNTERS 2 /* ballots have counters up to it, so each proposer has as many tries */
#define BALLOTS 6 /* above all of BALLOT() */

#ifdef LONELY
#define MAJORITY 1
#else
#define MAJORITY 2
#endif

/* In the order of is_below: by counter, then by proposer. 0 = none. */
#define BALLOT(counter, proposer) ((counter) * PROPOSERS + (proposer))
#define COUNTER(ballot) ((ballot) / PROPOSERS)
#define PROPOSER(ballot) ((ballot) % PROPOSERS)
#define HAS(set, member) ((set) >> (member) & 1)
#define COUNT(set) (HAS(set, 0) + HAS(set, 1) + HAS(set, 2))
#define ADD(set, member) set = set | 1 << (member)

typedef box_t {
    byte promised; /* ballot; nothing below is voted for */
    byte vote, value; /* the ballot voted for, and what */
    byte highest; /* counter heard of */
    /* of who proposes */
    byte ballot, wanted, adopted;
    byte promises, accepts; /* sets of members */
    bit asked
};

/* What is on its way about a ballot. A vote is told of with the ballot and the value. */
typedef wire_t {
    byte prepare; /* set of members that it has still to reach */
    byte accept;
    byte value; /* of accept */
    byte promise; /* set of members whose promise is on its way */
    byte accepted;
    byte vote[MEMBERS], voted_value[MEMBERS] /* in the promise of that member */
};

box_t box[MEMBERS];
wire_t wire[BALLOTS];
byte decided;

inline hear(member, counter)
{
    if
    :: counter > box[member].highest -> box[member].highest = counter
    :: else
    fi
}

inline decide(value_)
{
    assert(decided == 0 || decided == value_);
    decided = value_
}

inline count_vote(proposer, member)
{
    ADD(box[proposer].accepts, member);
    if
    :: COUNT(box[proposer].accepts) >= MAJORITY -> decide(box[proposer].wanted)
    :: else
    fi
}

inline cast(member, ballot_, value_)
{
    box[member].vote = ballot_;
    box[member].value = value_
}

#ifdef NO_PROMISE
#define MAY_VOTE(member, ballot_) true
#else
#define MAY_VOTE(member, ballot_) ((ballot_) >= box[member].promised)
#endif

/* A majority has promised: the others are asked for their votes, and one's own is cast. */
inline ask(proposer)
{
    box[proposer].asked = 1;
    b = box[proposer].ballot;
    wire[b].value = box[proposer].wanted;
    wire[b].accept = 7 & ~(1 << (proposer));
    if
    :: MAY_VOTE(proposer, b) ->
        if
        :: b > box[proposer].promised -> box[proposer].promised = b
        :: else
        fi;
        cast(proposer, b, box[proposer].wanted);
        count_vote(proposer, proposer)
    :: else
    fi
}

inline count_promise(proposer, member, vote_, value_)
{
#ifndef IGNORES_VOTES
    if
    :: vote_ > box[proposer].adopted ->
        box[proposer].adopted = vote_;
        box[proposer].wanted = value_
    :: else
    fi;
#endif
    ADD(box[proposer].promises, member);
    if
    :: COUNT(box[proposer].promises) >= MAJORITY -> ask(proposer)
    :: else
    fi
}

/* Above all that was heard of, whether or not something came of the last one. What is on its way to a proposal that is given
 * up counts for nothing any more. */
inline propose(p)
{
    b = box[p].ballot;
    wire[b].promise = 0;
    wire[b].accepted = 0;
    for (m : 0 .. MEMBERS - 1) {
        wire[b].vote[m] = 0;
        wire[b].voted_value[m] = 0
    }
    box[p].highest++;
    b = BALLOT(box[p].highest, p);
    box[p].ballot = b;
    box[p].wanted = b;
    box[p].adopted = 0;
    box[p].promises = 0;
    box[p].accepts = 0;
    box[p].asked = 0;
    box[p].promised = b;
    wire[b].prepare = 7 & ~(1 << p);
    count_promise(p, p, box[p].vote, box[p].value);
    m = 0
}

inline take_prepare(b_, m_)
{
    wire[b_].prepare = wire[b_].prepare & ~(1 << m_);
    hear(m_, COUNTER(b_));
    if
    :: b_ >= box[m_].promised ->
        box[m_].promised = b_;
        if
        :: box[PROPOSER(b_)].ballot == b_ && !box[PROPOSER(b_)].asked ->
            ADD(wire[b_].promise, m_);
            wire[b_].vote[m_] = box[m_].vote;
            wire[b_].voted_value[m_] = box[m_].value
        :: else
        fi
    :: else
    fi
}

inline take_promise(b_, m_)
{
    p = PROPOSER(b_);
    wire[b_].promise = wire[b_].promise & ~(1 << m_);
    if
    :: box[p].ballot == b_ && !box[p].asked ->
        count_promise(p, m_, wire[b_].vote[m_], wire[b_].voted_value[m_])
    :: else
    fi;
    wire[b_].vote[m_] = 0;
    wire[b_].voted_value[m_] = 0;
    p = 0
}

inline take_accept(b_, m_)
{
    wire[b_].accept = wire[b_].accept & ~(1 << m_);
    hear(m_, COUNTER(b_));
    if
    :: MAY_VOTE(m_, b_) ->
        if
        :: b_ > box[m_].promised -> box[m_].promised = b_
        :: else
        fi;
        cast(m_, b_, wire[b_].value);
        if
        :: box[PROPOSER(b_)].ballot == b_ -> ADD(wire[b_].accepted, m_)
        :: else
        fi
    :: else
    fi
}

inline take_accepted(b_, m_)
{
    wire[b_].accepted = wire[b_].accepted & ~(1 << m_);
    if
    :: box[PROPOSER(b_)].ballot == b_ -> count_vote(PROPOSER(b_), m_)
    :: else
    fi
}

/* A refusal (NACK) tells the counter that was promised. It may come at any time, and late. */
inline learn(p_, m_)
{
    hear(p_, COUNTER(box[m_].promised))
}

/* To and from a member that is not the proposer. */
#define ARRIVES(b_, m_)                                                   \
    :: d_step { HAS(wire[b_].prepare, m_) -> take_prepare(b_, m_); b = 0 }  \
    :: d_step { HAS(wire[b_].promise, m_) -> take_promise(b_, m_); b = 0 }  \
    :: d_step { HAS(wire[b_].accept, m_) -> take_accept(b_, m_); b = 0 }    \
    :: d_step { HAS(wire[b_].accepted, m_) -> take_accepted(b_, m_); b = 0 }

#define LEARNS(p_, m_) \
    :: d_step { COUNTER(box[m_].promised) > box[p_].highest -> learn(p_, m_) }

active proctype everything()
{
    byte b, m, p;
    do
    :: d_step { box[0].highest < COUNTERS -> propose(0); b = 0 }
    :: d_step { box[1].highest < COUNTERS -> propose(1); b = 0 }
    ARRIVES(2, 1)
    ARRIVES(2, 2)
    ARRIVES(3, 0)
    ARRIVES(3, 2)
    ARRIVES(4, 1)
    ARRIVES(4, 2)
    ARRIVES(5, 0)
    ARRIVES(5, 2)
    LEARNS(0, 1)
    LEARNS(0, 2)
    LEARNS(1, 0)
    LEARNS(1, 2)
    od
}
