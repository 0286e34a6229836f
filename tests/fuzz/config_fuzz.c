/* Any bytes as a configuration file. Either it loads and nothing is said, or the report is whole and safe to
 * show on a terminal. What was loaded is written as a file that loads as the same. */
#include "base/check.h"
#include "tests/unit/base/config_sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(const buf_t *report)
{
    static const char end[] = "; nothing was changed\n";
    size_t end_size = sizeof end - 1;
    CHECK(report->size > end_size && memcmp(report->data + report->size - end_size, end, end_size) == 0);
    for (size_t i = 0; i < report->size; i++) {
        uint8_t byte = report->data[i];
        CHECK(byte != 0x7f && (byte >= 0x20 || byte == '\n' || byte == '\t'));
    }
}

static int load(sample_t *sample, span_t text, buf_t *effective)
{
    config_part_t parts[SAMPLE_PARTS];
    buf_t report = {0};
    sample_parts(sample, parts);
    int err = config_parse(parts, SAMPLE_PARTS, "fuzz.yaml", text, &report);
    CHECK(err == OK || err == ERR_CONFIG);
    if (err == OK) {
        CHECK(report.size == 0);
        config_print_effective(parts, SAMPLE_PARTS, NULL, effective);
    } else {
        check_report(&report);
    }
    buf_fini(&report);
    return err;
}

static void unload(sample_t *sample)
{
    config_part_t parts[SAMPLE_PARTS];
    sample_parts(sample, parts);
    config_free(parts, SAMPLE_PARTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sample_t first = {0}, second = {0};
    buf_t effective = {0}, again = {0};
    /* A secret is shown as "***", which the sample's own check would refuse. */
    if (load(&first, span_new(data, size), &effective) == OK && !first.secret) {
        CHECK(load(&second, buf_span(&effective), &again) == OK);
        CHECK(span_eq(buf_span(&effective), buf_span(&again)));
    }
    unload(&first);
    unload(&second);
    buf_fini(&effective);
    buf_fini(&again);
    return 0;
}
