// SPDX-License-Identifier: GPL-2.0
/*
 * A domain's description and metadata are what its owner wrote, and may look like a device. So
 * libxml2 reads the XML, which is loaded as libvirt is: where the one is, there is the other.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"

/* Of libxml/xmlreader.h: XML_PARSE_NOERROR, XML_PARSE_NOWARNING and XML_PARSE_NONET. */
#define OPTIONS	(0x20 | 0x40 | 0x800)
#define ELEMENT	1

/* Those of its functions that are used, so that building does not need it. */
static struct {
	void *(*open)(const char *xml, int size, const char *url, const char *encoding,
		      int options);
	int (*next)(void *reader);
	int (*type)(void *reader);
	int (*depth)(void *reader);
	const char *(*name)(void *reader);
	char *(*attribute)(void *reader, const char *name);
	void (*close)(void *reader);
} lib;

static bool load(void)
{
	void *handle = dlopen("libxml2.so.2", RTLD_NOW);

	if (!handle)
		return false;
	lib.open = dlsym(handle, "xmlReaderForMemory");
	lib.next = dlsym(handle, "xmlTextReaderRead");
	lib.type = dlsym(handle, "xmlTextReaderNodeType");
	lib.depth = dlsym(handle, "xmlTextReaderDepth");
	lib.name = dlsym(handle, "xmlTextReaderConstName");
	lib.attribute = dlsym(handle, "xmlTextReaderGetAttribute");
	lib.close = dlsym(handle, "xmlFreeTextReader");
	return lib.open && lib.next && lib.type && lib.depth && lib.name && lib.attribute &&
	       lib.close;
}

/* Where the reader is in what counts: domain/devices/hostdev[@type='mdev']/source/address. */
static const char * const path[] = { "domain", "devices", "hostdev", "source", "address" };

#define DEPTH	((int)(sizeof(path) / sizeof(*path)))

static bool is_mdev(void *reader)
{
	char *type = lib.attribute(reader, "type");
	bool is = type && !strcmp(type, "mdev");

	free(type);
	return is;
}

/* An element of the path, below those that were seen before it. */
static bool continues(void *reader, int depth)
{
	return !strcmp(lib.name(reader), path[depth]) &&
	       (strcmp(path[depth], "hostdev") || is_mdev(reader));
}

/**
 * hb_domain_mdevs - tell the UUIDs of a domain's mediated devices
 * @xml: of the domain, as libvirt writes it
 * @tell: called for each
 * @context: passed to @tell
 */
void hb_domain_mdevs(const char *xml, void (*tell)(const char *uuid, void *context), void *context)
{
	int depth, seen = 0;
	void *reader;

	if (!lib.close && !load())
		return;
	reader = lib.open(xml, strlen(xml), NULL, NULL, OPTIONS);
	while (reader && lib.next(reader) == 1) {
		depth = lib.depth(reader);
		if (lib.type(reader) != ELEMENT || depth > seen || depth >= DEPTH)
			continue;
		seen = continues(reader, depth) ? depth + 1 : depth;
		if (seen == DEPTH) {
			char *uuid = lib.attribute(reader, "uuid");

			if (uuid)
				tell(uuid, context);
			free(uuid);
		}
	}
	if (reader)
		lib.close(reader);
}
