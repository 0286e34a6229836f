/* edge/pages - the demo page at "/", built into the program, with a policy that lets it load nothing else.
 * Owner:  static.
 * Thread: the worker's loop.
 *
 * The files are those of web/. Where `demo.edges` is empty, all of them are answered 404.
 */
#ifndef HEDDLE_EDGE_PAGES_H
#define HEDDLE_EDGE_PAGES_H

#include "base/http/server.h"

/* Rows for a server whose context is an edge_worker_t. */
#define EDGE_PAGES 5u
extern const http_route_t edge_pages[EDGE_PAGES];

#endif
