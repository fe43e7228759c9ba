// SPDX-License-Identifier: GPL-2.0
/*
 * A notification for OpenStack Masakari, as its API wants it: the engine knows the instance by
 * Nova's UUID, which is QEMU's -uuid, and takes notice of this event alone. It blocks: act.c
 * ends it if it takes too long.
 */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "act.h"
#include "vmms.h"

static json_t *notification(const struct hb_job *job, const char *instance)
{
	char host[256] = "", when[32];
	time_t now = time(NULL);
	struct tm tm;

	gethostname(host, sizeof(host) - 1);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &tm));
	return json_pack("{s:{s:s, s:s, s:s, s:{s:s, s:s, s:s}}}", "notification",
			 "type", "VM",
			 "hostname", job->policy->host ?: host,
			 "generated_time", when,
			 "payload",
			 "instance_uuid", instance,
			 "vir_domain_event", "STOPPED_FAILED",
			 "event", "LIFECYCLE");
}

static int add_token(struct curl_slist **headers, const char *file, char why[HB_WHY_LEN])
{
	char header[8192] = "X-Auth-Token: ";
	size_t len = strlen(header);
	FILE *stream;

	if (!file)
		return 0;
	stream = fopen(file, "re");
	if (!stream || !fgets(header + len, sizeof(header) - len, stream)) {
		snprintf(why, HB_WHY_LEN, "%s: %s", file, stream ? "it is empty" : strerror(errno));
		if (stream)
			fclose(stream);
		return -1;
	}
	fclose(stream);
	header[strcspn(header, "\r\n")] = '\0';
	*headers = curl_slist_append(*headers, header);
	return 0;
}

static size_t ignore(char *data, size_t size, size_t nr, void *context)
{
	(void)data;
	(void)context;
	return size * nr;
}

static int post(CURL *curl, const char *url, struct curl_slist *headers, const char *body,
		char why[HB_WHY_LEN])
{
	char error[CURL_ERROR_SIZE] = "";
	long status = 0;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	if (curl_easy_perform(curl)) {
		snprintf(why, HB_WHY_LEN, "%.100s: %.120s", url, error);
		return -1;
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	/* 409: Masakari knows of it already, and is about to act. */
	if (status / 100 == 2 || status == 409)
		return 0;
	snprintf(why, HB_WHY_LEN, "%.100s answered with status %ld%s", url, status,
		 status == 401 ? ": renew the token" : "");
	return -1;
}

static int notify(const struct hb_job *job, const char *instance, char why[HB_WHY_LEN])
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	json_t *about = notification(job, instance);
	char *body = about ? json_dumps(about, JSON_COMPACT) : NULL;
	CURL *curl = curl_easy_init();
	char url[2048];
	int ret = -1;

	snprintf(url, sizeof(url), "%s/notifications", job->policy->masakari);
	if (!body || !curl)
		snprintf(why, HB_WHY_LEN, "out of memory");
	else if (!add_token(&headers, job->policy->token_file, why))
		ret = post(curl, url, headers, body, why);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	free(body);
	json_decref(about);
	return ret;
}

/**
 * hb_act_masakari - notify Masakari
 * @job: about which VM
 * @why: if it fails, what was wrong
 *
 * Return: 0, or -1.
 */
int hb_act_masakari(const struct hb_job *job, char why[HB_WHY_LEN])
{
	char instance[HB_NAME_LEN];

	hb_uuid_of_vmm(job->vmm_pid, instance);
	if (strlen(instance) != HB_UUID_LEN) {
		snprintf(why, HB_WHY_LEN, "the VMM has no option -uuid: Masakari cannot know the instance");
		return -1;
	}
	return notify(job, instance, why);
}
