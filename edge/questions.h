/* edge/questions - what relays ask every edge: its channels, itself, to disconnect or unsubscribe clients.
 * Thread: the worker's loop.
 */
#ifndef HEDDLE_EDGE_QUESTIONS_H
#define HEDDLE_EDGE_QUESTIONS_H

#include "edge/worker.h"

/* Does what is asked, and answers through the link. The question's bytes are lent for the call. */
void edge_answer_question(edge_worker_t *worker, link_t *relay, const envelope_ask_t *question);

#endif
