/* SPDX-License-Identifier: GPL-2.0 */
/* Domains of libvirt: which mediated devices they have. */
#ifndef HB_DOMAIN_H
#define HB_DOMAIN_H

void hb_domain_mdevs(const char *xml, void (*tell)(const char *uuid, void *context), void *context);

#endif /* HB_DOMAIN_H */
