/* protocol/kinds - every kind of envelope and its fields, once. The structs, the encoder, the decoder, the
 * names in logs and the tables in protocol/README.md all come from these lists.
 *
 * A field is (type, name, max): UINT is an unsigned integer; TEXT is a str of at most `max` bytes; DATA is a
 * bin or str of at most `max` bytes; LIST is an array, handed out as its bytes, at most `max` of them; NAME
 * is a channel's name, and checked as one. On the wire an envelope is the array [code, field, ...]. Fields
 * are only ever added at the end: a reader passes over those that it does not know, and takes those that are
 * missing as 0 or empty.
 *
 * LINK kinds belong to the link itself: they travel unnumbered (seq 0), alone. All others are numbered.
 */
#ifndef HEDDLE_PROTOCOL_KINDS_H
#define HEDDLE_PROTOCOL_KINDS_H

#include "protocol/channel_name.h"
#include "protocol/limits.h"
#include "protocol/position.h"

/* X(CODE NAME, member, code, LINK or FLOW, fields, what it says) */
#define ENVELOPE_KINDS(X)                                                                        \
    X(SEEK, seek, 1, LINK, SEEK_FIELDS, "to the hello address: which relays are there?")         \
    X(HERE, here, 2, LINK, HERE_FIELDS, "a relay's answer to SEEK")                              \
    X(HELLO, hello, 3, LINK, HELLO_FIELDS, "open a link; a new session voids the one before")    \
    X(WELCOME, welcome, 4, LINK, WELCOME_FIELDS, "the link is open")                             \
    X(REFUSE, refuse, 5, LINK, REFUSE_FIELDS, "the link will not be opened, and why")            \
    X(BEAT, beat, 6, LINK, BEAT_FIELDS, "I live, and this is the last number that I sent")       \
    X(RESEND, resend, 7, LINK, RESEND_FIELDS, "a gap: send again from this number on")           \
    X(RESET, reset, 8, LINK, RESET_FIELDS, "this session is void")                               \
    X(BYE, bye, 9, LINK, BYE_FIELDS, "I am going; take the link down now")                       \
    X(SUB, sub, 16, FLOW, SUB_FIELDS, "subscribe, from a position if I have one")                \
    X(SUB_OK, sub_ok, 17, FLOW, SUB_OK_FIELDS, "subscribed; MSGs from `since` + 1 on follow")    \
    X(SUB_NO, sub_no, 18, FLOW, SUB_NO_FIELDS, "not subscribed, and why")                        \
    X(UNSUB, unsub, 19, FLOW, UNSUB_FIELDS, "no MSGs of this channel any more")                  \
    X(PUB, pub, 20, FLOW, PUB_FIELDS, "publish; (node, counter) is the publication's id")        \
    X(PUB_OK, pub_ok, 21, FLOW, PUB_OK_FIELDS, "published at this position")                     \
    X(PUB_NO, pub_no, 22, FLOW, PUB_NO_FIELDS, "not published, and why")                         \
    X(MSG, msg, 23, FLOW, MSG_FIELDS, "a publication, in its place")                             \
    X(JOIN, join, 24, FLOW, JOIN_FIELDS, "a client is present in a channel")                     \
    X(LEAVE, leave, 25, FLOW, LEAVE_FIELDS, "a client is no longer present")                     \
    X(ASK, ask, 26, FLOW, ASK_FIELDS, "a question to the relays, or through them to all edges")  \
    X(ANSWER, answer, 27, FLOW, ANSWER_FIELDS, "the answer to an ASK")                           \
    X(MEMBERS, members, 28, FLOW, MEMBERS_FIELDS, "to edges: these relays own the channels now") \
    X(MEET, meet, 32, FLOW, MEET_FIELDS, "between relays: my view, and which relays I see")      \
    X(PREPARE, prepare, 33, FLOW, PREPARE_FIELDS, "who will vote for a successor of this view?") \
    X(PROMISE, promise, 34, FLOW, PROMISE_FIELDS, "I will, and this I have accepted before")     \
    X(ACCEPT, accept, 35, FLOW, ACCEPT_FIELDS, "vote for this successor")                        \
    X(ACCEPTED, accepted, 36, FLOW, ACCEPTED_FIELDS, "I have")                                   \
    X(NACK, nack, 37, FLOW, NACK_FIELDS, "I have promised a higher ballot")                      \
    X(INSTALL, install, 38, FLOW, INSTALL_FIELDS, "the successor is decided")                    \
    X(SYNCED, synced, 39, FLOW, SYNCED_FIELDS, "what you own in this view I have handed to you") \
    X(SETTLED, settled, 40, FLOW, SETTLED_FIELDS, "what I own in this view is here, and copied") \
    X(STATE, state, 41, FLOW, STATE_FIELDS, "a channel's state; `count` COPYs of it follow")     \
    X(COPY, copy, 42, FLOW, COPY_FIELDS, "a message of a channel, to keep")                      \
    X(COPIED, copied, 43, FLOW, COPIED_FIELDS, "so many STATEs and COPYs of this view are kept") \
    X(FORWARD, forward, 44, FLOW, FORWARD_FIELDS, "what `node` says to the owner, through me")   \
    X(BACK, back, 45, FLOW, BACK_FIELDS, "what the owner says to `node`, through you")           \
    X(GONE, gone, 46, FLOW, GONE_FIELDS, "`node`, for which I forwarded, has gone")

#define SEEK_FIELDS(F) F(TEXT, cluster, CLUSTER_MAX)
#define HERE_FIELDS(F) F(TEXT, cluster, CLUSTER_MAX) F(TEXT, name, NODE_NAME_MAX)
#define HELLO_FIELDS(F)          \
    F(UINT, protocol, 0)         \
    F(TEXT, name, NODE_NAME_MAX) \
    F(UINT, role, 0) F(TEXT, cluster, CLUSTER_MAX) F(TEXT, software, NODE_NAME_MAX)
#define WELCOME_FIELDS(F)            \
    F(UINT, protocol, 0)             \
    F(TEXT, name, NODE_NAME_MAX)     \
    F(UINT, role, 0)                 \
    F(TEXT, cluster, CLUSTER_MAX)    \
    F(TEXT, software, NODE_NAME_MAX) \
    F(UINT, heartbeat_us, 0) F(LIST, members, LIST_MAX) F(LIST, namespaces, LIST_MAX)
#define REFUSE_FIELDS(F) F(UINT, code, 0) F(TEXT, reason, REASON_MAX)
#define BEAT_FIELDS(F)   F(UINT, last, 0)
#define RESEND_FIELDS(F) F(UINT, from, 0)
#define RESET_FIELDS(F)  F(UINT, code, 0)
#define BYE_FIELDS(F)    F(TEXT, reason, REASON_MAX)

#define SUB_FIELDS(F)                  \
    F(NAME, channel, CHANNEL_NAME_MAX) \
    F(TEXT, epoch, EPOCH_SIZE) F(UINT, offset, 0) F(UINT, hops, 0) F(UINT, request, 0)
#define SUB_OK_FIELDS(F)               \
    F(NAME, channel, CHANNEL_NAME_MAX) \
    F(TEXT, epoch, EPOCH_SIZE)         \
    F(UINT, offset, 0) F(UINT, since, 0) F(UINT, recovered, 0) F(UINT, request, 0)
#define SUB_NO_FIELDS(F) F(NAME, channel, CHANNEL_NAME_MAX) F(UINT, code, 0) F(UINT, request, 0)
#define UNSUB_FIELDS(F)  F(NAME, channel, CHANNEL_NAME_MAX)
#define PUB_FIELDS(F)                  \
    F(UINT, node, 0)                   \
    F(UINT, counter, 0)                \
    F(NAME, channel, CHANNEL_NAME_MAX) \
    F(UINT, flags, 0)                  \
    F(UINT, hops, 0)                   \
    F(TEXT, client, CLIENT_ID_MAX)     \
    F(TEXT, user, USER_ID_MAX) F(DATA, info, CLIENT_INFO_MAX) F(DATA, payload, PAYLOAD_MAX)
#define PUB_OK_FIELDS(F) F(UINT, counter, 0) F(TEXT, epoch, EPOCH_SIZE) F(UINT, offset, 0)
#define PUB_NO_FIELDS(F) F(UINT, counter, 0) F(UINT, code, 0)
#define MSG_FIELDS(F)                  \
    F(NAME, channel, CHANNEL_NAME_MAX) \
    F(TEXT, epoch, EPOCH_SIZE)         \
    F(UINT, offset, 0)                 \
    F(UINT, time_us, 0)                \
    F(UINT, node, 0)                   \
    F(UINT, counter, 0)                \
    F(UINT, flags, 0)                  \
    F(TEXT, client, CLIENT_ID_MAX)     \
    F(TEXT, user, USER_ID_MAX) F(DATA, info, CLIENT_INFO_MAX) F(DATA, payload, PAYLOAD_MAX)
#define JOIN_FIELDS(F)                 \
    F(NAME, channel, CHANNEL_NAME_MAX) \
    F(TEXT, client, CLIENT_ID_MAX) F(TEXT, user, USER_ID_MAX) F(DATA, info, CLIENT_INFO_MAX)
/* `user` and `info` only from the owner, to those who listen. */
#define LEAVE_FIELDS(F)                \
    F(NAME, channel, CHANNEL_NAME_MAX) \
    F(TEXT, client, CLIENT_ID_MAX) F(TEXT, user, USER_ID_MAX) F(DATA, info, CLIENT_INFO_MAX)
#define ASK_FIELDS(F)                  \
    F(UINT, id, 0)                     \
    F(UINT, question, 0)               \
    F(TEXT, channel, CHANNEL_NAME_MAX) \
    F(TEXT, user, USER_ID_MAX)         \
    F(TEXT, client, CLIENT_ID_MAX)     \
    F(UINT, code, 0)                   \
    F(TEXT, reason, REASON_MAX)        \
    F(LIST, except, CLIENT_INFO_MAX)   \
    F(TEXT, epoch, EPOCH_SIZE)         \
    F(UINT, offset, 0)                 \
    F(UINT, limit, 0)                  \
    F(UINT, reverse, 0)                \
    F(DATA, info, CLIENT_INFO_MAX) F(DATA, data, CLIENT_INFO_MAX) F(UINT, flags, 0)
#define ANSWER_FIELDS(F) F(UINT, id, 0) F(UINT, code, 0) F(LIST, items, LIST_MAX)

/* A view: [[id, name], ...] of its members beside its lineage and number (protocol/view). */
#define VIEW_FIELDS(F) F(UINT, lineage, 0) F(UINT, number, 0) F(LIST, members, VIEW_LIST_MAX)

#define MEMBERS_FIELDS(F) VIEW_FIELDS(F)
#define MEET_FIELDS(F)    VIEW_FIELDS(F) F(LIST, sees, VIEW_LIST_MAX) F(UINT, options, 0)
#define PREPARE_FIELDS(F) F(UINT, lineage, 0) F(UINT, number, 0) F(UINT, ballot, 0)
#define PROMISE_FIELDS(F)    \
    F(UINT, lineage, 0)      \
    F(UINT, number, 0)       \
    F(UINT, ballot, 0)       \
    F(UINT, voted_ballot, 0) \
    F(UINT, voted_proposer, 0) F(LIST, members, VIEW_LIST_MAX)
#define ACCEPT_FIELDS(F) \
    F(UINT, lineage, 0) F(UINT, number, 0) F(UINT, ballot, 0) F(LIST, members, VIEW_LIST_MAX)
#define ACCEPTED_FIELDS(F) F(UINT, lineage, 0) F(UINT, number, 0) F(UINT, ballot, 0)
#define NACK_FIELDS(F)     F(UINT, lineage, 0) F(UINT, number, 0) F(UINT, ballot, 0)
#define INSTALL_FIELDS(F)  VIEW_FIELDS(F)
#define SYNCED_FIELDS(F)   F(UINT, lineage, 0) F(UINT, number, 0)
#define SETTLED_FIELDS(F)  F(UINT, lineage, 0) F(UINT, number, 0)
#define STATE_FIELDS(F)                \
    F(NAME, channel, CHANNEL_NAME_MAX) \
    F(UINT, number, 0)                 \
    F(UINT, tag, 0)                    \
    F(TEXT, epoch, EPOCH_SIZE)         \
    F(UINT, offset, 0) F(UINT, flags, 0) F(UINT, count, 0) F(LIST, presence, LIST_MAX)
#define COPY_FIELDS(F)    F(UINT, number, 0) F(UINT, age_us, 0) F(DATA, message, ENVELOPE_MAX)
#define COPIED_FIELDS(F)  F(UINT, number, 0) F(UINT, count, 0)
#define FORWARD_FIELDS(F) F(UINT, node, 0) F(UINT, hops, 0) F(DATA, envelope, ENVELOPE_MAX)
#define BACK_FIELDS(F)    F(UINT, node, 0) F(DATA, envelope, ENVELOPE_MAX)
#define GONE_FIELDS(F)    F(UINT, node, 0)

typedef enum envelope_kind {
#define KIND_ENUM(NAME, member, code, layer, fields, text) KIND_##NAME = (code),
    ENVELOPE_KINDS(KIND_ENUM)
#undef KIND_ENUM
} envelope_kind_t;

/* What a node is; in HELLO and WELCOME. */
#define NODE_ROLES(X) X(EDGE, 1, "edge") X(RELAY, 2, "relay") X(BRIDGE, 3, "bridge") X(TOOL, 4, "tool")

typedef enum node_role {
#define ROLE_ENUM(NAME, code, text) ROLE_##NAME = (code),
    NODE_ROLES(ROLE_ENUM)
#undef ROLE_ENUM
} node_role_t;

/* Bits of `flags` in PUB and MSG. */
enum message_flags {
    MESSAGE_BINARY = 1, /* the payload is binary; without it, UTF-8 text */
    MESSAGE_JSON = 2,   /* the payload is one JSON value, validated by the edge that took it */
    MESSAGE_RESENT = 4, /* in PUB: sent before, and may have arrived */
};

/* Bits of `flags` in ASK. */
enum ask_flags {
    ASK_SEES_PRESENCE = 1, /* SUBSCRIBE: they are told who joins and leaves, if anybody is there */
};

/* Bits of `flags` in STATE. */
enum state_flags {
    STATE_COPY = 1, /* from the owner to its replica; without it, to the owner */
    STATE_FOREIGN =
        2, /* of another lineage: where the owner has its own stream, this one's messages join it */
};

/* `question` in ASK; `items` of its ANSWER. Who answers: the channel's owner, or every edge (merged by the
 * relay). */
#define QUESTIONS(X)                                                                                       \
    X(PRESENCE, 1, "the owner: [[client, user, info], ...] of `channel`")                                  \
    X(PRESENCE_STATS, 2, "the owner: [clients, users] of `channel`")                                       \
    X(CHANNELS, 3, "every edge: [[channel, clients], ...] that match the pattern `channel`")               \
    X(NODES, 4,                                                                                            \
      "every node: [[id, name, role, software, clients, users, subscriptions, channels, uptime_s], ...]")  \
    X(DISCONNECT, 5,                                                                                       \
      "every edge: close `user`'s clients (or `client`) with `code` and `reason`, except `except`")        \
    X(UNSUBSCRIBE, 6, "every edge: unsubscribe `user`'s clients (or `client`) from `channel`")             \
    X(HISTORY, 7,                                                                                          \
      "the owner: [epoch, top offset, complete, MSG, ...] of `channel`: at most `limit` messages behind "  \
      "(`epoch`, `offset`), or with `reverse` before it, newest first; `complete` 1: nothing is missing "  \
      "between that position and the top")                                                                 \
    X(FORGET, 8, "the owner: let the history of `channel` go; []")                                         \
    X(REFRESH, 9,                                                                                          \
      "every edge: the credentials of `user`'s clients (or `client`) end at `code`, in seconds since "     \
      "1970; 0 = never")                                                                                   \
    X(SUBSCRIBE, 10,                                                                                       \
      "every edge: subscribe `user`'s clients (or `client`) to `channel`, from (`epoch`, `offset`) on if " \
      "there is an epoch, until `code` in seconds since 1970 (0: for good), as `info`; tell them `data` "  \
      "(both JSON); `flags` 1: and who joins and leaves")                                                  \
    X(CANARY, 11, "the relay that is asked, at once: []; it takes the way that all requests take")

typedef enum question {
#define QUESTION_ENUM(NAME, code, text) QUESTION_##NAME = (code),
    QUESTIONS(QUESTION_ENUM)
#undef QUESTION_ENUM
} question_t;

#endif
