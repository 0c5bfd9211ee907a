/* bare_pcap: the unit of the flow bench. Reads a capture with libpcap and counts; nothing else. */
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>

struct count {
    uint64_t packets, bytes;
};

static void each(u_char *user, const struct pcap_pkthdr *head, const u_char *data)
{
    struct count *count = (struct count *)user;
    (void)data;
    count->packets++;
    count->bytes += head->len;
}

int main(int argc, char **argv)
{
    char why[PCAP_ERRBUF_SIZE];
    struct count count = {0, 0};
    pcap_t *pcap = argc == 2 ? pcap_open_offline(argv[1], why) : NULL;

    if (pcap == NULL)
        return 1;
    pcap_loop(pcap, 0, each, (u_char *)&count);
    pcap_close(pcap);
    printf("packets=%llu bytes=%llu\n", (unsigned long long)count.packets, (unsigned long long)count.bytes);
    return 0;
}
