// SPDX-License-Identifier: GPL-2.0
/*
 * A domain's description and metadata are what its owner wrote, and may look like a device. So
 * libxml2 reads the XML, which is loaded as libvirt is: where the one is, there is the other.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "domain.h"
#include "load.h"

/* Of libxml/xmlreader.h: XML_PARSE_NOERROR, XML_PARSE_NOWARNING and XML_PARSE_NONET. */
#define OPTIONS	(0x20 | 0x40 | 0x800)
#define ELEMENT	1

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
	static const struct hb_symbol symbols[] = {
		{ "xmlReaderForMemory", &lib.open },
		{ "xmlTextReaderRead", &lib.next },
		{ "xmlTextReaderNodeType", &lib.type },
		{ "xmlTextReaderDepth", &lib.depth },
		{ "xmlTextReaderConstName", &lib.name },
		{ "xmlTextReaderGetAttribute", &lib.attribute },
		{ "xmlFreeTextReader", &lib.close },
	};

	return hb_load("libxml2.so.2", symbols, sizeof(symbols) / sizeof(*symbols));
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
	static bool loaded;
	int depth, seen = 0;
	void *reader;

	loaded = loaded || load();
	if (!loaded)
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
