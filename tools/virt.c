// SPDX-License-Identifier: GPL-2.0
/*
 * libvirt is loaded only where it is installed and a policy has no QMP socket. It blocks: act.c
 * ends it if it takes too long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "domain.h"
#include "load.h"

#define DUMP_MEMORY_ONLY	0x10
#define LIST_ACTIVE		0x1

static struct {
	void *(*open)(const char *uri);
	int (*list)(void *conn, void ***domains, unsigned int flags);
	char *(*xml)(void *domain, unsigned int flags);
	int (*nmi)(void *domain, unsigned int flags);
	int (*reset)(void *domain, unsigned int flags);
	int (*dump)(void *domain, const char *to, unsigned int format, unsigned int flags);
	void (*on_error)(void *context, void (*handler)(void *context, void *error));
	const char *(*last_error)(void);
} lib;

static void no_message(void *context, void *error)
{
	(void)context;
	(void)error;
}

static bool load(void)
{
	static const struct hb_symbol symbols[] = {
		{ "virConnectOpen", &lib.open },
		{ "virConnectListAllDomains", &lib.list },
		{ "virDomainGetXMLDesc", &lib.xml },
		{ "virDomainInjectNMI", &lib.nmi },
		{ "virDomainReset", &lib.reset },
		{ "virDomainCoreDumpWithFormat", &lib.dump },
		{ "virSetErrorFunc", &lib.on_error },
		{ "virGetLastErrorMessage", &lib.last_error },
	};

	return hb_load("libvirt.so.0", symbols, sizeof(symbols) / sizeof(*symbols));
}

struct search {
	const char *uuid;
	bool found;
};

static void on_mdev(const char *uuid, void *context)
{
	struct search *search = context;

	search->found |= !strcmp(uuid, search->uuid);
}

/*
 * The domain that has the monitor as a device: a name alone may be another's. One that does not
 * run may have it, too.
 */
static void *find_domain(void *conn, const char *uuid)
{
	struct search search = { .uuid = uuid };
	void **domains;
	int nr = lib.list(conn, &domains, LIST_ACTIVE);

	for (int i = 0; i < nr; i++) {
		char *xml = lib.xml(domains[i], 0);

		if (xml)
			hb_domain_mdevs(xml, on_mdev, &search);
		free(xml);
		if (search.found)
			return domains[i];
	}
	return NULL;
}

static int take(void *domain, const struct hb_job *job, const char *path)
{
	if (job->step == HB_STEP_INJECT_NMI)
		return lib.nmi(domain, 0);
	if (job->step == HB_STEP_RESET)
		return lib.reset(domain, 0);
	return lib.dump(domain, path, 0, DUMP_MEMORY_ONLY);
}

/**
 * hb_act_libvirt - take a step by libvirt
 * @job: inject-nmi, reset or dump-guest-memory
 * @why: if it fails, what was wrong
 *
 * Return: 0, or -1.
 */
int hb_act_libvirt(const struct hb_job *job, char why[HB_WHY_LEN])
{
	void *conn, *domain;
	char path[4096] = "";

	if (!load()) {
		snprintf(why, HB_WHY_LEN, "libvirt is not installed: give the key qmp, or install it");
		return -1;
	}
	if (job->step == HB_STEP_DUMP &&
	    hb_act_expand(job, job->policy->dump, path, sizeof(path))) {
		snprintf(why, HB_WHY_LEN, "the key dump makes no path for this VM");
		return -1;
	}
	lib.on_error(NULL, no_message);
	conn = lib.open("qemu:///system");
	domain = conn ? find_domain(conn, job->uuid) : NULL;
	if (conn && !domain) {
		snprintf(why, HB_WHY_LEN, "libvirt has no domain with this monitor: give the key qmp");
		return -1;
	}
	if (!conn || take(domain, job, path)) {
		snprintf(why, HB_WHY_LEN, "libvirt: %s", lib.last_error() ?: "it did not say why");
		return -1;
	}
	return 0;
}
