// SPDX-License-Identifier: GPL-2.0
/* Pure functions of tools/, row by row. Prints TAP. */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "names.h"
#include "out.h"
#include "units.h"
#include "words.h"

static int number, failed;

static void row(int ok, const char *what, const char *of)
{
	printf("%sok %d %s: %s\n", ok ? "" : "not ", ++number, what, of);
	failed |= !ok;
}

static void test_parse_time(void)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t ns;
	} rows[] = {
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "1ns", 0, 1 },
		{ "7us", 0, 7000 },
		{ "500ms", 0, 500000000 },
		{ "2s", 0, 2000000000 },
		{ "1.5s", 0, 1500000000 },
		{ ".5s", 0, 500000000 },
		{ "0.0000000019s", 0, 1 },
		{ "10min", 0, 600000000000 },
		{ "10m", 0, 600000000000 },
		{ "1h30m", 0, 5400000000000 },
		{ "7d", 0, 604800000000000 },
		{ "213503d", 0, UINT64_C(18446659200000000000) },
		{ "213504d", -ERANGE, 0 },
		{ "18446744073709551616ns", -ERANGE, 0 },
		{ "18446744073s709551615ns", 0, UINT64_MAX },
		{ "18446744073s709551616ns", -ERANGE, 0 },
		{ "213503d213503d", -ERANGE, 0 },
		{ "99999999999999999999ns", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "5", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ ".s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "+1s", -EINVAL, 0 },
		{ " 1s", -EINVAL, 0 },
		{ "1s ", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1sec", -EINVAL, 0 },
		{ "1e3s", -EINVAL, 0 },
		{ "1h30", -EINVAL, 0 },
		{ "0x1s", -EINVAL, 0 },
		{ "never", -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t ns = 0;
		int ret = hb_parse_time(rows[i].text, &ns);

		row(ret == rows[i].ret && (ret || ns == rows[i].ns), "parse a time", rows[i].text);
	}
}

static void test_format_time(void)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "0s" },
		{ 999, "999ns" },
		{ 1000, "1us" },
		{ 1500, "1.5us" },
		{ 999999, "999.999us" },
		{ 500000000, "500ms" },
		{ 999999999, "999.999ms" },
		{ 1000000000, "1s" },
		{ 4012345678, "4.012s" },
		{ 10000000000, "10s" },
		{ 59999999999, "59.999s" },
		{ 60000000000, "1m00s" },
		{ 5400000000000, "1h30m" },
		{ 86400000000000, "1d00h" },
		{ UINT64_MAX, "213503d23h" },
	};
	char buf[HB_TIME_LEN];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		row(!strcmp(hb_format_time(buf, rows[i].ns), rows[i].text), "format a time",
		    rows[i].text);
}

static void test_names(void)
{
	static const struct {
		const char *args;
		size_t len;
		const char *name;
	} rows[] = {
#define ARGS(args)	args, sizeof(args)
		{ ARGS("qemu\0-name\0web"), "web" },
		{ ARGS("qemu\0-name\0guest=web,debug-threads=on"), "web" },
		{ ARGS("qemu\0-name\0debug-threads=on,guest=web"), "web" },
		{ ARGS("qemu\0-name\0web,process=vm"), "web" },
		{ ARGS("qemu\0--name\0web\0-m\0""1G"), "web" },
		{ ARGS("qemu\0-name\0guest=a,,b,process=c"), "a,b" },
		{ ARGS("qemu\0-name\0a,"), "a" },
		{ ARGS("qemu\0-name\0a\0-name\0guest=b"), "b" },
		{ ARGS("qemu\0-name\0a\0-name\0debug-threads=on"), "a" },
		{ ARGS("qemu\0-name\0debug-threads=on"), "" },
		{ ARGS("qemu\0-name"), "" },
		{ ARGS("qemu\0-name\0"), "" },
		{ ARGS("qemu\0-m\0""1G"), "" },
		{ "", 0, "" },
		{ ARGS("qemu\0-name\0""a\nb\033[31mc"), "a?b?[31mc" },
		{ ARGS("qemu\0-name\0\xc3\xa9\xff\xc3"), "\xc3\xa9??" },
		/* It would be read from the right, and have an invisible end. */
		{ ARGS("qemu\0-name\0\xe2\x80\xae""bew\xe2\x80\x8b"), "???bew???" },
		{ ARGS("qemu\0-name\0\xe4\xb8\xad"), "\xe4\xb8\xad" },
		/* Cut off where it was read. */
		{ "qemu\0-name\0web", 13, "we" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char name[HB_NAME_LEN] = "before", what[16];

		hb_name_of_cmdline(rows[i].args, rows[i].len, name);
		snprintf(what, sizeof(what), "line %zu", i);
		row(!strcmp(name, rows[i].name), "the name on a command line", what);
	}
}

static void test_uuids(void)
{
	static const struct {
		const char *args;
		size_t len;
		const char *uuid;
	} rows[] = {
		{ ARGS("qemu\0-uuid\0a-b"), "a-b" },
		{ ARGS("qemu\0--uuid\0a-b\0-m\0""1G"), "a-b" },
		{ ARGS("qemu\0-uuid\0a\0-uuid\0b"), "b" },
		{ ARGS("qemu\0-name\0uuid=a\0-uuidx\0b"), "" },
		{ ARGS("qemu\0-uuid"), "" },
		{ "", 0, "" },
		{ ARGS("qemu\0-uuid\0a\nb"), "a?b" },
		{ "qemu\0-uuid\0a-b", 12, "a" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char uuid[HB_NAME_LEN] = "before", what[16];

		hb_uuid_of_cmdline(rows[i].args, rows[i].len, uuid);
		snprintf(what, sizeof(what), "line %zu", i);
		row(!strcmp(uuid, rows[i].uuid), "the UUID on a command line", what);
	}
}

static void test_resolve(void)
{
	struct hb_monitor all[] = {
		{ .uuid = "11111111-2222-3333-4444-555555555555" },
		{ .uuid = "11111111-2222-3333-4444-aaaaaaaaaaaa" },
		{ .uuid = "abcdef01-2222-3333-4444-555555555555" },
	};
	const struct hb_monitors monitors = { all, 3 };
	/* The last one passes for the second. */
	static const char names[][HB_NAME_LEN] = {
		"web", "twin", "11111111-2222-3333-4444-aaaaaaaaaaaa"
	};
	static const struct {
		const char *word;
		enum hb_match match;
		size_t which;
	} rows[] = {
		{ "web", HB_MATCH_ONE, 0 },
		{ "we", HB_MATCH_NONE, 0 },
		{ "Web", HB_MATCH_NONE, 0 },
		{ "", HB_MATCH_NONE, 0 },
		{ "a", HB_MATCH_ONE, 2 },
		{ "ABCDEF01", HB_MATCH_ONE, 2 },
		{ "1", HB_MATCH_MANY, 0 },
		{ "11111111-2222-3333-4444-a", HB_MATCH_ONE, 1 },
		{ "11111111-2222-3333-4444-aaaaaaaaaaaa", HB_MATCH_ONE, 1 },
		{ "11111111-2222-3333-4444-aaaaaaaaaaaaa", HB_MATCH_NONE, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t which = 0;
		enum hb_match match = hb_resolve(&monitors, names, rows[i].word, &which);

		row(match == rows[i].match && (match == HB_MATCH_NONE || which == rows[i].which),
		    "who is called", rows[i].word);
	}
}

static void add_uuid(const char *uuid, void *context)
{
	char *seen = context;

	strcat(strcat(seen, uuid), " ");
}

/* What is not a device, though it looks like one, is not taken for one. */
static void test_domain(void)
{
#define MDEV(uuid) \
	"<hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci'>" \
	"<source><address uuid='" uuid "'/></source>" \
	"<address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/></hostdev>"
#define DOMAIN(more, devices) \
	"<domain type='kvm'><name>web</name><uuid>w</uuid>" more \
	"<devices><disk type='file'/>" devices "<memballoon/></devices></domain>"
	static const struct {
		const char *xml;
		const char *uuids;
	} rows[] = {
		{ DOMAIN("", ""), "" },
		{ DOMAIN("", MDEV("a")), "a " },
		{ DOMAIN("", MDEV("a") MDEV("b")), "a b " },
		{ DOMAIN("<description>" "it is uuid='x'" "</description>", MDEV("a")), "a " },
		{ DOMAIN("<metadata><devices xmlns='urn:x'>" MDEV("x") "</devices></metadata>", ""),
		  "" },
		{ DOMAIN("<metadata><x:x xmlns:x='urn:x'>" DOMAIN("", MDEV("x")) "</x:x></metadata>",
			 MDEV("a")), "a " },
		{ DOMAIN("<!-- <devices>" MDEV("x") "</devices> -->", MDEV("a")), "a " },
		{ DOMAIN("", "<hostdev type='pci'><source><address uuid='x'/></source></hostdev>"),
		  "" },
		{ DOMAIN("", "<hostdev><source><address uuid='x'/></source></hostdev>"), "" },
		{ DOMAIN("", "<hostdev type='mdev'><source><address/></source></hostdev>"), "" },
		{ "<domain><devices>" MDEV("a") "<hostdev type='mdev'><source>", "a " },
		{ "", "" },
		{ "no XML", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char seen[64] = "", what[16];

		hb_domain_mdevs(rows[i].xml, add_uuid, seen);
		snprintf(what, sizeof(what), "line %zu", i);
		row(!strcmp(seen, rows[i].uuids), "mediated devices of a domain", what);
	}
}

static void test_escapes(void)
{
	static const struct {
		void (*put)(FILE *out, const char *text);
		const char *text;
		const char *escaped;
	} rows[] = {
		{ hb_out_json, "", "\"\"" },
		{ hb_out_json, "a \"b\" \\ /", "\"a \\\"b\\\" \\\\ /\"" },
		{ hb_out_json, "\n\t\001\037\177",
		  "\"\\u000a\\u0009\\u0001\\u001f\\u007f\"" },
		{ hb_out_json, "\xc3\xa9", "\"\xc3\xa9\"" },
		{ hb_out_label, "", "\"\"" },
		{ hb_out_label, "a \"b\" \\ \n", "\"a \\\"b\\\" \\\\ \\n\"" },
		{ hb_out_label, "\t\xc3\xa9", "\"\t\xc3\xa9\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *text = NULL, what[16];
		size_t len;
		FILE *out = open_memstream(&text, &len);

		rows[i].put(out, rows[i].text);
		fclose(out);
		snprintf(what, sizeof(what), "line %zu", i);
		row(!strcmp(text, rows[i].escaped), "escape", what);
		free(text);
	}
}

/* A cause that stands for itself in no state has its text; a word of nobody has none. */
static void test_words(void)
{
	for (size_t i = 0; i < hb_states.nr; i++) {
		const struct hb_text *text = hb_explain_state(hb_states.all[i]);

		row(text && *text->means, "what a state means", hb_states.all[i]);
	}
	for (size_t i = 0; i < hb_causes.nr; i++) {
		const struct hb_text *text = hb_explain_cause("", hb_causes.all[i]);

		row(text && *text->means && *text->todo, "what a cause means", hb_causes.all[i]);
	}
	row(!hb_explain_state("asleep") && !hb_explain_cause("late", "tired"), "no meaning",
	    "words of nobody");
	row(strcmp(hb_explain_cause("late", "beat-lost")->means,
		   hb_explain_cause("unresponsive", "beat-lost")->means) != 0,
	    "a cause in two states", "beat-lost");
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	puts("TAP version 13");
	test_parse_time();
	test_format_time();
	test_names();
	test_uuids();
	test_resolve();
	test_domain();
	test_escapes();
	test_words();
	printf("1..%d\n", number);
	return failed;
}
