/* packet_text.c: names for what a packet holds. */
#include "detector/packet.h"

#include "detector/bytes.h"

#include <arpa/inet.h>
#include <string.h>

const char *packet_reason_text(enum packet_reason reason)
{
    static const char *const text[PACKET_REASONS] = {
        [PACKET_OK] = "ok",
        [PACKET_NOT_IP] = "not_ip",
        [PACKET_CUT_SHORT] = "cut_short",
        [PACKET_BAD_HEADER] = "bad_header",
        [PACKET_TOO_DEEP] = "too_deep",
        [PACKET_UNKNOWN_LINK] = "unknown_link",
        [PACKET_FRAGMENT] = "fragment",
    };

    return reason < PACKET_REASONS ? text[reason] : "unknown";
}

const char *packet_protocol_text(uint8_t protocol)
{
    /* By IANA number; a number without a well-known name is written as such. */
    static const char *const text[256] = {
        "IP-0",   "ICMP",   "IGMP",   "IP-3",   "IPIP",    "IP-5",   "TCP",    "IP-7",   "EGP",    "IP-9",   "IP-10",
        "IP-11",  "IP-12",  "IP-13",  "IP-14",  "IP-15",   "IP-16",  "UDP",    "IP-18",  "IP-19",  "IP-20",  "IP-21",
        "IP-22",  "IP-23",  "IP-24",  "IP-25",  "IP-26",   "IP-27",  "IP-28",  "IP-29",  "IP-30",  "IP-31",  "IP-32",
        "DCCP",   "IP-34",  "IP-35",  "IP-36",  "IP-37",   "IP-38",  "IP-39",  "IP-40",  "IPV6",   "IP-42",  "IP-43",
        "IP-44",  "IP-45",  "RSVP",   "GRE",    "IP-48",   "IP-49",  "ESP",    "AH",     "IP-52",  "IP-53",  "IP-54",
        "IP-55",  "IP-56",  "IP-57",  "ICMPV6", "IP-59",   "IP-60",  "IP-61",  "IP-62",  "IP-63",  "IP-64",  "IP-65",
        "IP-66",  "IP-67",  "IP-68",  "IP-69",  "IP-70",   "IP-71",  "IP-72",  "IP-73",  "IP-74",  "IP-75",  "IP-76",
        "IP-77",  "IP-78",  "IP-79",  "IP-80",  "IP-81",   "IP-82",  "IP-83",  "IP-84",  "IP-85",  "IP-86",  "IP-87",
        "EIGRP",  "OSPF",   "IP-90",  "IP-91",  "IP-92",   "IP-93",  "IP-94",  "IP-95",  "IP-96",  "IP-97",  "IP-98",
        "IP-99",  "IP-100", "IP-101", "IP-102", "PIM",     "IP-104", "IP-105", "IP-106", "IP-107", "IP-108", "IP-109",
        "IP-110", "IP-111", "VRRP",   "IP-113", "IP-114",  "L2TP",   "IP-116", "IP-117", "IP-118", "IP-119", "IP-120",
        "IP-121", "IP-122", "IP-123", "IP-124", "IP-125",  "IP-126", "IP-127", "IP-128", "IP-129", "IP-130", "IP-131",
        "SCTP",   "IP-133", "IP-134", "IP-135", "UDPLITE", "MPLS",   "IP-138", "IP-139", "IP-140", "IP-141", "IP-142",
        "IP-143", "IP-144", "IP-145", "IP-146", "IP-147",  "IP-148", "IP-149", "IP-150", "IP-151", "IP-152", "IP-153",
        "IP-154", "IP-155", "IP-156", "IP-157", "IP-158",  "IP-159", "IP-160", "IP-161", "IP-162", "IP-163", "IP-164",
        "IP-165", "IP-166", "IP-167", "IP-168", "IP-169",  "IP-170", "IP-171", "IP-172", "IP-173", "IP-174", "IP-175",
        "IP-176", "IP-177", "IP-178", "IP-179", "IP-180",  "IP-181", "IP-182", "IP-183", "IP-184", "IP-185", "IP-186",
        "IP-187", "IP-188", "IP-189", "IP-190", "IP-191",  "IP-192", "IP-193", "IP-194", "IP-195", "IP-196", "IP-197",
        "IP-198", "IP-199", "IP-200", "IP-201", "IP-202",  "IP-203", "IP-204", "IP-205", "IP-206", "IP-207", "IP-208",
        "IP-209", "IP-210", "IP-211", "IP-212", "IP-213",  "IP-214", "IP-215", "IP-216", "IP-217", "IP-218", "IP-219",
        "IP-220", "IP-221", "IP-222", "IP-223", "IP-224",  "IP-225", "IP-226", "IP-227", "IP-228", "IP-229", "IP-230",
        "IP-231", "IP-232", "IP-233", "IP-234", "IP-235",  "IP-236", "IP-237", "IP-238", "IP-239", "IP-240", "IP-241",
        "IP-242", "IP-243", "IP-244", "IP-245", "IP-246",  "IP-247", "IP-248", "IP-249", "IP-250", "IP-251", "IP-252",
        "IP-253", "IP-254", "IP-255"};

    return text[protocol];
}

void packet_address_text(const uint8_t address[16], char out[46])
{
    if (address_is_v4(address))
        inet_ntop(AF_INET, address + 12, out, 46);
    else
        inet_ntop(AF_INET6, address, out, 46);
}
