"""Threats as a detector sends them, for the browser tests."""
import random
from datetime import datetime, timedelta, timezone

TYPES = {"port_scan": 0, "brute_force": 22, "web_attack": 80, "ddos": 53, "anomaly": 8443, "malware": 4444}
FEATURES = {"duration": (0.4, 12), "total_fwd_packets": (3, 40), "total_bwd_packets": (2, 38), "flow_bytes_s": (180, 90000),
            "flow_packets_s": (1, 240), "fwd_packet_length_mean": (20, 600), "bwd_packet_length_mean": (0, 1100),
            "flow_iat_mean": (0.004, 0.9), "fwd_iat_mean": (0.004, 1.2), "bwd_iat_mean": (0.004, 1.2), "fwd_psh_flags": (0, 12),
            "bwd_psh_flags": (0, 12), "fwd_urg_flags": (0, 0), "bwd_urg_flags": (0, 0), "fwd_header_length": (60, 900),
            "bwd_header_length": (40, 900), "fwd_packets_s": (0.5, 120), "bwd_packets_s": (0.4, 118),
            "packet_length_mean": (40, 800), "packet_length_std": (10, 500), "packet_length_variance": (100, 250000),
            "syn_flag_count": (1, 2), "rst_flag_count": (0, 1), "psh_flag_count": (0, 20), "ack_flag_count": (4, 70)}


def severity(confidence):
    return "critical" if confidence >= 0.9 else "high" if confidence >= 0.7 else "medium" if confidence >= 0.4 else "low"


def threat(number=1, **more):
    """One threat; the same number gives the same threat, but for its time."""
    rng = random.Random(number)
    kind = rng.choice(list(TYPES))
    confidence = round(rng.uniform(0.15, 0.99), 2)
    at = datetime.now(timezone.utc) - timedelta(seconds=rng.uniform(0, 2))
    values = {name: round(rng.uniform(low, high * 1.6 + 1), 3) for name, (low, high) in FEATURES.items()}
    explained = sorted(FEATURES, key=lambda name: -abs(values[name] / (FEATURES[name][1] + 1)))[:5]
    shares = (0.34, 0.22, 0.15, 0.09, 0.05)
    record = {
        "threat_id": f"threat_{number:06d}", "revision": 1, "threat_type": kind, "severity": severity(confidence),
        "source_ip": f"198.51.100.{rng.randint(2, 40)}", "destination_ip": f"192.0.2.{rng.randint(2, 20)}",
        "source_port": rng.randint(1024, 65535), "destination_port": TYPES[kind] or rng.randint(1, 1024),
        "protocol": "UDP" if kind == "ddos" else "TCP", "confidence": confidence, "sensor": "edge-1",
        "timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"), "mitre": ["T1046"],
        "details": {"rf_prediction": 1, "rf_confidence": confidence, "iso_prediction": -1, "iso_score": -0.041,
                    "flow_duration": values["duration"], "packet_count": 1068, "byte_count": 60310, "flow_count": 1,
                    "first_seen": at.isoformat(), "last_seen": at.isoformat(), "features": values,
                    "explanation": [{"feature": name, "value": values[name], "usual": list(FEATURES[name]), "share": share}
                                    for name, share in zip(explained, shares)],
                    "source": "live", "model": "lab-1", "extractor": "1"}}
    details = {**record["details"], **more.pop("details", {})}
    return {**record, **more, "details": details}
