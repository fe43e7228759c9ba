// SPDX-License-Identifier: GPL-2.0
/*
 * libvirt is loaded only where it is installed, and only if a monitor's VM has no name by its
 * process: one that does not run. A daemon that does not answer must hold up nobody, so a child
 * asks it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "domain.h"
#include "libvirt.h"
#include "load.h"

static struct {
	void *(*open)(const char *uri);
	int (*list)(void *conn, void ***domains, unsigned int flags);
	char *(*xml)(void *domain, unsigned int flags);
	const char *(*name)(void *domain);
	void (*on_error)(void *context, void (*handler)(void *context, void *error));
} lib;

static void no_message(void *context, void *error)
{
	(void)context;
	(void)error;
}

static bool load(void)
{
	static const struct hb_symbol symbols[] = {
		{ "virConnectOpenReadOnly", &lib.open },
		{ "virConnectListAllDomains", &lib.list },
		{ "virDomainGetXMLDesc", &lib.xml },
		{ "virDomainGetName", &lib.name },
		{ "virSetErrorFunc", &lib.on_error },
	};

	return hb_load("libvirt.so.0", symbols, sizeof(symbols) / sizeof(*symbols));
}

/* Whose name is looked for. */
struct search {
	const struct hb_monitors *monitors;
	struct hb_found *found;
	const char *name;
};

static int compare_uuid(const void *uuid, const void *monitor)
{
	return strcmp(uuid, ((const struct hb_monitor *)monitor)->uuid);
}

static void on_mdev(const char *uuid, void *context)
{
	const struct search *search = context;
	const struct hb_monitors *monitors = search->monitors;
	const struct hb_monitor *monitor;

	monitor = bsearch(uuid, monitors->all, monitors->nr, sizeof(*monitor), compare_uuid);
	if (monitor)
		snprintf(search->found->names[monitor - monitors->all], HB_NAME_LEN, "%s",
			 search->name);
}

static void find_names(const void *what, struct hb_found *found)
{
	struct search search = { what, found, NULL };
	void *conn, **domains;
	int nr;

	if (!load())
		return;
	lib.on_error(NULL, no_message);
	conn = lib.open("qemu:///system");
	nr = conn ? lib.list(conn, &domains, 0) : 0;
	for (int i = 0; i < nr; i++) {
		char *xml = lib.xml(domains[i], 0);

		search.name = lib.name(domains[i]);
		if (xml && search.name)
			hb_domain_mdevs(xml, on_mdev, &search);
		free(xml);
		found->at++;
	}
}

static bool all_named(const struct hb_fleet *fleet)
{
	for (size_t i = 0; i < fleet->monitors.nr; i++) {
		if (!*fleet->names[i])
			return false;
	}
	return true;
}

/**
 * hb_libvirt_names - ask libvirt for the names of VMs that have none by their process, once
 * @fleet: all monitors, whose names are filled in
 *
 * Return: whether it had any.
 */
bool hb_libvirt_names(struct hb_fleet *fleet)
{
	struct hb_found *found;
	bool any = false;

	if (fleet->asked || all_named(fleet))
		return false;
	fleet->asked = true;
	found = hb_found_new(fleet->monitors.nr);
	if (!found)
		return false;
	hb_child_find(find_names, &fleet->monitors, found);
	for (size_t i = 0; i < found->nr; i++) {
		if (*fleet->names[i] || !*found->names[i])
			continue;
		memcpy(fleet->names[i], found->names[i], HB_NAME_LEN);
		hb_name_clean(fleet->names[i]);
		any = true;
	}
	hb_found_free(found);
	return any;
}
