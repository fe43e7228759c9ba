// SPDX-License-Identifier: GPL-2.0
/*
 * Each mistake is told with its file and line, all of them at a time. inih calls with a name and
 * a value and without a line, so the line is counted where it reads.
 */
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "units.h"
#include "words.h"

#define SEC		UINT64_C(1000000000)
#define DAY		(86400 * SEC)
#define POLICY_SECTION	"policy "

struct parser {
	const char *file;
	FILE *stream;
	int line;
	int errors;
	bool in_line;			/* the line goes on: it is too long for inih */
	struct hb_policies *policies;
	size_t first;			/* policy of this file */
	uint64_t seen;			/* keys of the section */
};

static __attribute__((format(printf, 2, 3)))
void complain(struct parser *parser, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", parser->file, parser->line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	parser->errors++;
}

static bool append(struct hb_list *list, const char *word)
{
	char **all = reallocarray(list->all, list->nr + 2, sizeof(*all));
	char *copy = strdup(word);

	if (all)
		list->all = all;
	if (!all || !copy) {
		free(copy);
		return false;
	}
	all[list->nr++] = copy;
	all[list->nr] = NULL;
	return true;
}

/* Add the words of a value; each has to be one of @known, if that is given. */
static void add_words(struct parser *parser, struct hb_list *list, const char *value,
		      const struct hb_words *known, const char *what)
{
	char *words = strdup(value), *rest = words, *word;

	while (rest && (word = strsep(&rest, " \t"))) {
		size_t i = 0;

		if (!*word)
			continue;
		while (known && i < known->nr && strcmp(known->all[i], word))
			i++;
		if (known && i == known->nr)
			complain(parser, "'%s' is no %s: see heartbeatd.conf(5)", word, what);
		else if (!append(list, word))
			complain(parser, "out of memory");
	}
	free(words);
}

static void set_text(struct parser *parser, char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	if (!*text)
		complain(parser, "out of memory");
}

static void set_path(struct parser *parser, char **path, const char *value)
{
	const char *at = value;

	if (*value != '/')
		complain(parser, "'%s' is no absolute path: let it begin with /", value);
	while ((at = strchr(at, '%'))) {
		if (!at[1] || !strchr("unp%", at[1])) {
			complain(parser, "'%%%.1s' stands for nothing: use %%n (name), %%u (UUID), %%p (process), %%%%",
				 at + 1);
			return;
		}
		at += 2;
	}
	set_text(parser, path, value);
}

static void set_time(struct parser *parser, uint64_t *ns, const char *value, uint64_t min,
		     uint64_t max)
{
	char low[HB_TIME_LEN], high[HB_TIME_LEN];
	uint64_t read;

	if (hb_parse_time(value, &read))
		complain(parser, "'%s' is no time: write it with a unit, such as 10s or 5min",
			 value);
	else if (read < min || read > max)
		complain(parser, "%s is out of range: %s to %s", value, hb_format_time(low, min),
			 hb_format_time(high, max));
	else
		*ns = read;
}

static void set_limit(struct parser *parser, uint64_t *limit, const char *value)
{
	char *end;
	unsigned long long read = strtoull(value, &end, 10);

	if (*end || end == value || *value == '-' || !read || read > HB_ACTIONS_MAX)
		complain(parser, "'%s' is no limit: write a number from 1 to %d", value,
			 HB_ACTIONS_MAX);
	else
		*limit = read;
}

static void add_steps(struct parser *parser, struct hb_policy *policy, const char *value)
{
	struct hb_list words = { 0 };

	add_words(parser, &words, value, NULL, NULL);
	for (size_t i = 0; i < words.nr; i++) {
		int step = hb_step_by_word(words.all[i]);

		if (step < 0)
			complain(parser, "'%s' is no step: see heartbeatd.conf(5)", words.all[i]);
		else if (policy->nr_steps == HB_STEPS_MAX)
			complain(parser, "there are more than %d steps: remove some", HB_STEPS_MAX);
		else
			policy->steps[policy->nr_steps++] = step;
		free(words.all[i]);
	}
	free(words.all);
}

static void set_url(struct parser *parser, char **url, const char *value)
{
	if (strncmp(value, "http://", 7) && strncmp(value, "https://", 8))
		complain(parser, "'%s' is no URL: let it begin with https:// or http://", value);
	set_text(parser, url, value);
}

/* One line a key: its name, whether it may be given more than once, and what it does. */
#define KEYS(key) \
	key("vm", true, add_words(parser, &policy->vms, value, NULL, NULL)) \
	key("state", true, add_words(parser, &policy->states, value, &hb_states, "state")) \
	key("cause", true, add_words(parser, &policy->causes, value, &hb_causes, "cause")) \
	key("steps", true, add_steps(parser, policy, value)) \
	key("delay", false, set_time(parser, &policy->delay_ns, value, 0, DAY)) \
	key("actions_max", false, set_limit(parser, &policy->actions_max, value)) \
	key("actions_window", false, set_time(parser, &policy->window_ns, value, SEC, 7 * DAY)) \
	key("qmp", false, set_path(parser, &policy->qmp, value)) \
	key("dump", false, set_path(parser, &policy->dump, value)) \
	key("dump_timeout", false, set_time(parser, &policy->dump_timeout_ns, value, SEC, DAY)) \
	key("hook", true, add_words(parser, &policy->hook, value, NULL, NULL)) \
	key("hook_timeout", false, set_time(parser, &policy->hook_timeout_ns, value, SEC, DAY)) \
	key("masakari", false, set_url(parser, &policy->masakari, value)) \
	key("masakari_token_file", false, set_path(parser, &policy->token_file, value)) \
	key("masakari_host", false, set_text(parser, &policy->host, value))

static bool begin_key(struct parser *parser, const char *name, int number, bool often)
{
	bool again = parser->seen >> number & 1;

	parser->seen |= UINT64_C(1) << number;
	if (again && !often)
		complain(parser, "'%s' is given twice in this section: remove one", name);
	return !again || often;
}

static void set_key(struct parser *parser, struct hb_policy *policy, const char *name,
		    const char *value)
{
	int number = 0;

#define KEY(key, often, set) \
	if (!strcmp(name, key)) { \
		if (begin_key(parser, name, number, often)) \
			set; \
		return; \
	} \
	number++;
	KEYS(KEY)
#undef KEY
	complain(parser, "there is no key '%s': see heartbeatd.conf(5)", name);
}

static struct hb_policy *add_policy(struct parser *parser, const char *name)
{
	struct hb_policies *policies = parser->policies;
	struct hb_policy *all;

	for (size_t i = 0; i < policies->nr; i++) {
		if (!strcmp(policies->all[i].name, name))
			complain(parser, "there is a policy '%s' already: give this one another name",
				 name);
	}
	all = reallocarray(policies->all, policies->nr + 1, sizeof(*all));
	if (!all)
		return NULL;
	policies->all = all;
	all[policies->nr] = (struct hb_policy){
		.name = strdup(name),
		.line = parser->line,
		.delay_ns = 10 * SEC,
		.actions_max = 3,
		.window_ns = 3600 * SEC,
		.dump_timeout_ns = 600 * SEC,
		.hook_timeout_ns = 60 * SEC,
	};
	if (!all[policies->nr].name)
		return NULL;
	parser->seen = 0;
	return &all[policies->nr++];
}

static struct hb_policy *find_section(struct parser *parser, const char *section)
{
	struct hb_policies *policies = parser->policies;
	const char *name = section + strlen(POLICY_SECTION);

	if (strncmp(section, POLICY_SECTION, strlen(POLICY_SECTION)) || !*name) {
		complain(parser, "this key is in no policy: begin a section with [policy NAME]");
		return NULL;
	}
	if (policies->nr > parser->first && !strcmp(policies->all[policies->nr - 1].name, name))
		return &policies->all[policies->nr - 1];
	return add_policy(parser, name);
}

static int on_key(void *data, const char *section, const char *name, const char *value)
{
	struct parser *parser = data;
	struct hb_policy *policy = find_section(parser, section);

	if (!policy)
		return 1;
	if (*value)
		set_key(parser, policy, name, value);
	else
		complain(parser, "'%s' has no value: give one, or remove the line", name);
	return 1;
}

static char *next_line(char *line, int size, void *data)
{
	struct parser *parser = data;
	size_t len;

	if (!fgets(line, size, parser->stream))
		return NULL;
	if (!parser->in_line)
		parser->line++;
	len = strlen(line);
	parser->in_line = len && line[len - 1] != '\n' && !feof(parser->stream);
	if (parser->in_line)
		complain(parser, "the line is longer than %d bytes: go on in the next one, after a blank",
			 size - 1);
	return line;
}

/**
 * hb_config_parse - read a file, and print the mistakes
 * @file: its path
 * @policies: added to
 *
 * Return: how many mistakes there are, or a negative errno if it cannot be opened.
 */
int hb_config_parse(const char *file, struct hb_policies *policies)
{
	struct parser parser = { .file = file, .policies = policies, .first = policies->nr };
	int line;

	parser.stream = fopen(file, "re");
	if (!parser.stream)
		return -errno;
	line = ini_parse_stream(next_line, &parser, on_key, &parser);
	fclose(parser.stream);
	/* inih's own: what is neither a section nor a key. It says the first one. */
	if (line > 0) {
		parser.line = line;
		complain(&parser, "this is neither [policy NAME] nor KEY = VALUE");
	}
	if (!parser.errors)
		parser.errors += hb_config_check(file, policies, parser.first);
	return parser.errors;
}

static int is_config(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return *entry->d_name != '.' && end && !strcmp(end, ".conf");
}

static int parse_one(const char *file, struct hb_policies *policies, bool must)
{
	int ret = hb_config_parse(file, policies);

	if (ret == -ENOENT && !must)
		return 0;
	if (ret < 0)
		fprintf(stderr, "%s: %s\n", file, strerror(-ret));
	return ret < 0 ? 1 : ret;
}

/**
 * hb_config_read - read all files, and print the mistakes
 * @folder: where they are; none of them has to be there
 * @policies: filled in; to be freed by hb_config_free() also if there are mistakes
 *
 * Return: how many mistakes there are.
 */
int hb_config_read(const char *folder, struct hb_policies *policies)
{
	struct dirent **entries = NULL;
	char path[4096];
	int nr, errors;

	*policies = (struct hb_policies){ 0 };
	snprintf(path, sizeof(path), "%s/policy.conf", folder);
	errors = parse_one(path, policies, false);
	snprintf(path, sizeof(path), "%s/policy.d", folder);
	nr = scandir(path, &entries, is_config, alphasort);
	if (nr < 0 && errno != ENOENT) {
		fprintf(stderr, "%s: %m\n", path);
		errors++;
	}
	for (int i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/policy.d/%s", folder, entries[i]->d_name);
		errors += parse_one(path, policies, true);
		free(entries[i]);
	}
	free(entries);
	return errors;
}

static void free_list(struct hb_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free(list->all[i]);
	free(list->all);
}

/**
 * hb_config_free - forget the policies
 * @policies: what was read
 */
void hb_config_free(struct hb_policies *policies)
{
	for (size_t i = 0; i < policies->nr; i++) {
		struct hb_policy *policy = &policies->all[i];

		free_list(&policy->vms);
		free_list(&policy->states);
		free_list(&policy->causes);
		free_list(&policy->hook);
		free(policy->name);
		free(policy->qmp);
		free(policy->dump);
		free(policy->masakari);
		free(policy->token_file);
		free(policy->host);
	}
	free(policies->all);
	*policies = (struct hb_policies){ 0 };
}
