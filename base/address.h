/* base/address - where to listen: "127.0.0.1:9000" or "[::1]:9000", numbers only, port 0 = any free one.
 * Thread: any. address_listen is a few system calls that don't block.
 */
#ifndef HEDDLE_BASE_ADDRESS_H
#define HEDDLE_BASE_ADDRESS_H

#include "base/buf.h"

/* For config tables: OK, or ERR_MALFORMED with a short text in `why`. */
int address_check(const char *text, buf_t *why);

/* Reachable from this machine alone: 127.0.0.0/8 and ::1. false for what is no address. */
bool address_is_loopback(const char *text);

/* A listening TCP socket, non-blocking and close-on-exec, and the port it got. ERR_MALFORMED; ERR_IO, and
 * then errno tells why. `reuse_port`: several sockets share the port, and the kernel spreads connections over
 * them. */
int address_listen(const char *text, bool reuse_port, int *fd, uint16_t *port);

#endif
