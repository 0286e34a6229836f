/* protocol/limits - every limit of the wire, with its reason. */
#ifndef HEDDLE_PROTOCOL_LIMITS_H
#define HEDDLE_PROTOCOL_LIMITS_H

#define WIRE_VERSION 1u

#define NODE_NAME_MAX   64u
#define CLUSTER_MAX     64u
#define CLIENT_ID_MAX   64u
#define USER_ID_MAX     255u
#define CLIENT_INFO_MAX 4096u /* as large as the token that it came in */
#define REASON_MAX      255u
#define HOPS_MAX        3u /* edge -> any relay -> owner -> new owner, while owners move */

/* What a WELCOME may ask for; outside of it the initiator keeps its own. */
#define HEARTBEAT_MIN_US 10000u
#define HEARTBEAT_MAX_US 60000000u

/* One payload. Above the largest limits.message that an edge may be given. */
#define PAYLOAD_MAX (8u * 1024 * 1024)

/* A list inside an envelope (presence, channels): what a person or a page can use, and far below
 * WIRE_MESSAGE_MAX. */
#define LIST_MAX (8u * 1024 * 1024)

/* Relays of a cluster: each talks to each other one, and a view travels in one envelope. */
#define VIEW_MEMBERS_MAX 32u
#define VIEW_LIST_MAX    4096u

/* One envelope inside another: the largest PUB or MSG. */
#define ENVELOPE_MAX (PAYLOAD_MAX + 32u * 1024)

/* A batch is cut here: large enough that the cost of a ZeroMQ send vanishes, small enough that one loop
 * turn's work and one resend stay short. */
#define WIRE_BATCH (64u * 1024)

/* ZMQ_MAXMSGSIZE: one envelope with the largest payload or list, and its header. Who sends more is
 * disconnected. */
#define WIRE_MESSAGE_MAX (PAYLOAD_MAX + 64u * 1024)

/* Arrays inside arrays, in what we skip or walk. */
#define WIRE_DEPTH 8u

#endif
