/* edge/centrifuge_subs - subscriptions of a Centrifuge client that the server makes: those of its connection's token, and
 * those that a back end wants.
 * Thread: the worker's loop.
 *
 * The answer to `connect` tells those of the token, so it comes when all of them are on; what their channels bring
 * meanwhile waits behind it. Those of a back end are pushed.
 */
#ifndef HEDDLE_EDGE_CENTRIFUGE_SUBS_H
#define HEDDLE_EDGE_CENTRIFUGE_SUBS_H

#include "edge/centrifuge_client.h"

/* `connect` of a client that has been identified: lets it in, or begins the subscriptions of its token and lets it in
 * when they are on. Where one can't be made, `connect` is answered with an error, or the connection closed. */
void centrifuge_connect(edge_session_t *session, const centrifuge_command_t *command);

/* Frees what is known of an answer to `connect` that will not be given. */
void centrifuge_connecting_drop(centrifuge_client_t *client);

/* dialect.subscribe, and dialect.subscribed for one that is `by_server`. */
void centrifuge_subs_add(edge_session_t *session, const envelope_ask_t *question);
void centrifuge_subs_answered(edge_subscription_t *subscription, int err, const edge_recovery_t *recovery);

/* Takes away one that waits, and that its client has not heard of. */
void centrifuge_subs_withdraw(edge_subscription_t **subscription_p);

#endif
