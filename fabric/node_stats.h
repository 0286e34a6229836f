/* fabric/node_stats - a node's counts as metrics.
 * Owner:  whoever owns the node embeds it.
 * Thread: node_stats_update on the node's loop; read by any.
 * Life:   node_stats_register -> node_stats_update* -> node_stats_unregister
 */
#ifndef HEDDLE_FABRIC_NODE_STATS_H
#define HEDDLE_FABRIC_NODE_STATS_H

#include "base/stats.h"
#include "fabric/sockets.h"

#define NODE_STATS(X)                                                                                        \
    X(links_up, STAT_GAUGE, "heddle_links_up", NULL, "Links to other nodes that are up")                     \
    X(messages_in, STAT_COUNTER, "heddle_link_messages_total", "direction=\"in\"",                           \
      "Numbered messages on links")                                                                          \
    X(messages_out, STAT_COUNTER, "heddle_link_messages_total", "direction=\"out\"",                         \
      "Numbered messages on links")                                                                          \
    X(envelopes_in, STAT_COUNTER, "heddle_link_envelopes_total", "direction=\"in\"", "Envelopes on links")   \
    X(envelopes_out, STAT_COUNTER, "heddle_link_envelopes_total", "direction=\"out\"", "Envelopes on links") \
    X(bytes_in, STAT_COUNTER, "heddle_link_bytes_total", "direction=\"in\"", "Bytes on links")               \
    X(bytes_out, STAT_COUNTER, "heddle_link_bytes_total", "direction=\"out\"", "Bytes on links")             \
    X(gaps, STAT_COUNTER, "heddle_link_sequence_gaps_total", NULL,                                           \
      "Gaps in the numbers of a link, asked for again")                                                      \
    X(resent, STAT_COUNTER, "heddle_link_resent_messages_total", NULL, "Messages sent again")                \
    X(duplicates, STAT_COUNTER, "heddle_link_dropped_messages_total", "reason=\"duplicate\"",                \
      "Messages of links that were dropped, by cause; none of these is a loss")                              \
    X(stale, STAT_COUNTER, "heddle_link_dropped_messages_total", "reason=\"stale\"",                         \
      "Messages of links that were dropped, by cause; none of these is a loss")                              \
    X(downs, STAT_COUNTER, "heddle_link_downs_total", NULL, "Links that went down")                          \
    X(malformed, STAT_COUNTER, "heddle_node_rejected_messages_total", "reason=\"malformed\"",                \
      "Messages off the fabric that were none of ours, by cause")                                            \
    X(strangers, STAT_COUNTER, "heddle_node_rejected_messages_total", "reason=\"stranger\"",                 \
      "Messages off the fabric that were none of ours, by cause")                                            \
    X(impostors, STAT_COUNTER, "heddle_node_rejected_messages_total", "reason=\"impostor\"",                 \
      "Messages off the fabric that were none of ours, by cause")                                            \
    X(versions, STAT_COUNTER, "heddle_node_rejected_messages_total", "reason=\"version\"",                   \
      "Messages off the fabric that were none of ours, by cause")                                            \
    X(denied, STAT_COUNTER, "heddle_node_rejected_messages_total", "reason=\"denied\"",                      \
      "Messages off the fabric that were none of ours, by cause")                                            \
    X(revoked, STAT_COUNTER, "heddle_node_rejected_messages_total", "reason=\"revoked\"",                    \
      "Messages off the fabric that were none of ours, by cause")                                            \
    X(no_keys, STAT_COUNTER, "heddle_fabric_failed_handshakes_total", "reason=\"no_keys\"",                  \
      "Connections of the fabric that did not come about, by cause")                                         \
    X(wrong_key, STAT_COUNTER, "heddle_fabric_failed_handshakes_total", "reason=\"wrong_key\"",              \
      "Connections of the fabric that did not come about, by cause")                                         \
    X(refused, STAT_COUNTER, "heddle_fabric_failed_handshakes_total", "reason=\"refused\"",                  \
      "Connections of the fabric that did not come about, by cause")                                         \
    X(broken, STAT_COUNTER, "heddle_fabric_failed_handshakes_total", "reason=\"broken\"",                    \
      "Connections of the fabric that did not come about, by cause")                                         \
    X(unknown, STAT_COUNTER, "heddle_link_unknown_envelopes_total", NULL,                                    \
      "Envelopes of unknown kinds, passed over")                                                             \
    X(refusals, STAT_COUNTER, "heddle_node_refusals_total", NULL,                                            \
      "Links refused: version, cluster, role, or no room")

typedef struct node_stats {
    NODE_STATS(STATS_FIELD)
} node_stats_t;

void node_stats_register(node_stats_t *self);
void node_stats_unregister(node_stats_t *self);
void node_stats_update(node_stats_t *self, const node_t *node, const sockets_t *sockets);

#endif
