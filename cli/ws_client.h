/* cli/ws_client - one WebSocket connection for tools, on poll(2): every call ends at its deadline.
 * Owner:  whoever opened it.
 * Thread: its owner's. Calls block, but never beyond the deadline (cli_ws_client_open also on name
 *         resolution).
 * Life:   open -> (send | receive)* -> close (optional) -> destroy
 *
 * Deadlines are on clock_now_us(). Pings are answered inside receive. After any error but ERR_TIMEOUT of
 * receive, the connection is of no use.
 */
#ifndef HEDDLE_CLI_WS_CLIENT_H
#define HEDDLE_CLI_WS_CLIENT_H

#include "protocol/websocket.h"

typedef struct cli_ws_client cli_ws_client_t;

/* Connects to ws://HOST:PORT/PATH and shakes hands. `headers` is NULL or whole "Name: value\r\n" lines. OK;
 * ERR_MALFORMED or ERR_UNKNOWN (the URL), ERR_NOT_FOUND (the host), ERR_UNAVAILABLE (no connection),
 * ERR_DENIED (the server refused), ERR_CLOSED, ERR_TIMEOUT; `why` gets a sentence for people. */
int cli_ws_client_open(cli_ws_client_t **out, const char *url, const char *headers, uint64_t deadline_us,
                       buf_t *why);
void cli_ws_client_destroy(cli_ws_client_t **self_p);

/* One whole message or control frame. OK, ERR_TIMEOUT, ERR_CLOSED. */
int cli_ws_client_send(cli_ws_client_t *self, websocket_opcode_t opcode, span_t payload,
                       uint64_t deadline_us);

/* The next message, pong or close frame; the payload is lent until the next call. OK, ERR_TIMEOUT, ERR_CLOSED
 * (the connection ended without a close frame), or what websocket_read refuses. */
int cli_ws_client_receive(cli_ws_client_t *self, uint64_t deadline_us, websocket_event_t *event);

/* Sends a close frame and waits for the other's. OK, ERR_TIMEOUT, ERR_CLOSED. */
int cli_ws_client_close(cli_ws_client_t *self, uint16_t code, const char *reason, uint64_t deadline_us);

#endif
