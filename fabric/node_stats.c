#include "fabric/node_stats.h"

#define ROW(field, kind, name, labels, help) {offsetof(node_stats_t, field), kind, name, labels, help},
static const stat_row_t rows[] = {NODE_STATS(ROW)};

void node_stats_register(node_stats_t *self)
{
    stats_register(rows, sizeof rows / sizeof rows[0], self);
}

void node_stats_unregister(node_stats_t *self)
{
    stats_unregister(self);
}

void node_stats_update(node_stats_t *self, const node_t *node, const sockets_t *sockets)
{
    node_counts_t counts = node_counts(node);
    sockets_counts_t of_sockets = sockets_counts(sockets);
    stats_set(&self->links_up, node_links_up(node));
    stats_set(&self->messages_in, counts.link.messages_in);
    stats_set(&self->messages_out, counts.link.messages_out);
    stats_set(&self->envelopes_in, counts.link.envelopes_in);
    stats_set(&self->envelopes_out, counts.link.envelopes_out);
    stats_set(&self->bytes_in, counts.link.bytes_in);
    stats_set(&self->bytes_out, counts.link.bytes_out);
    stats_set(&self->gaps, counts.link.gaps);
    stats_set(&self->resent, counts.link.resent);
    stats_set(&self->duplicates, counts.link.duplicates);
    stats_set(&self->stale, counts.link.stale);
    stats_set(&self->unknown, counts.link.unknown);
    stats_set(&self->downs, counts.downs);
    stats_set(&self->malformed, counts.malformed);
    stats_set(&self->strangers, counts.strangers);
    stats_set(&self->impostors, counts.impostors);
    stats_set(&self->versions, counts.versions);
    stats_set(&self->refusals, counts.refusals);
    stats_set(&self->denied, counts.denied);
    stats_set(&self->revoked, of_sockets.revoked);
    stats_set(&self->no_keys, of_sockets.handshakes[HANDSHAKE_NO_KEYS]);
    stats_set(&self->wrong_key, of_sockets.handshakes[HANDSHAKE_WRONG_KEY]);
    stats_set(&self->refused, of_sockets.handshakes[HANDSHAKE_REFUSED]);
    stats_set(&self->broken, of_sockets.handshakes[HANDSHAKE_BROKEN]);
}
