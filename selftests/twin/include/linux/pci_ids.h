/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_PCI_IDS_H
#define SHIM_LINUX_PCI_IDS_H

#define PCI_CLASS_SYSTEM_OTHER	0x0880

#endif /* SHIM_LINUX_PCI_IDS_H */
