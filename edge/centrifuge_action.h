/* edge/centrifuge_action - what each command of a Centrifuge client does.
 * Thread: the worker's loop.
 */
#ifndef HEDDLE_EDGE_CENTRIFUGE_ACTION_H
#define HEDDLE_EDGE_CENTRIFUGE_ACTION_H

#include "edge/centrifuge_client.h"

/* OK: it is done, answered, refused, or waits for its answer; the session may be closing now. Nothing has
 * happened and it is to be tried again later: ERR_FULL (the uplink, or too much is unanswered), ERR_AGAIN (its
 * channel's subscription is still unanswered). */
int centrifuge_act(edge_session_t *session, const centrifuge_command_t *command);

#endif
