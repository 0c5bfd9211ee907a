// texts.js: every word the page says, in one place, so that it can be said in another language.

export const T = {
  name: "Threatline",
  views: { live: "Live", inbox: "Inbox", history: "History", sensors: "Sensors", uploads: "Uploads", settings: "Settings" },
  navigation: "Views",
  severity: { critical: "Critical", high: "High", medium: "Medium", low: "Low" },
  status: { new: "New", acknowledged: "Acknowledged", escalated: "Escalated", closed: "Closed" },
  verdict: { true_positive: "True positive", false_positive: "False positive", "": "No verdict" },

  login: {
    title: "Sign in", lead: "Threats on your network, as they happen.",
    username: "Username", password: "Password", go: "Sign in", going: "Signing in…",
    ended: "Your session has ended. Sign in to go back to where you were.",
    unreachable: "The server cannot be reached. Try again.",
    locked: (time) => `Too many attempts. Try again in ${time}.`,
    missing: "Enter your username and your password.",
    first: "At its first start the server prints the password of the user “admin”.",
  },
  user: { menu: "Account", out: "Sign out", theme: "Theme", themes: { system: "System", dark: "Dark", light: "Light" } },

  connection: {
    idle: "Not connected", connecting: "Connecting…", live: "Live", ended: "Session ended", offline: "Offline",
    retrying: (s) => (s > 0 ? `Retrying in ${s} s` : "Retrying…"),
    stale: (age) => `Stale: last heard ${age} ago`,
    retry: "Retry now",
    lost: "Connection lost. What you see may be out of date.",
    back: "Connected again.",
  },

  nowhere: { title: "Not found", view: "There is no such page.", hint: "The link may be old, or mistyped.", live: "Go to Live", history: "Search in History", section: "There is no such section." },

  live: {
    title: "Live", latest: "Latest threats", caption: "Latest threats, newest first, at most 50",
    pause: "Pause", resume: "Resume", held: (n) => `${n} new`,
    empty: "No threats yet",
    emptyMonitoring: "Monitoring is on. Threats appear here the moment they are found.",
    emptyIdle: "Start monitoring, or read a capture file under Uploads.",
    emptyNone: "Threats appear here the moment a sensor sends them.",
    emptyAway: "The detector does not answer, so nothing can be found. Sensors says why.",
    error: "The latest threats could not be loaded.",
    more: "Older threats in History",
    said: (n, high) => `${n} new ${n === 1 ? "threat" : "threats"}${high ? `, ${high} high or critical` : ""}`,
  },
  columns: {
    severity: "Severity", type: "Type", source: "Source", destination: "Destination", confidence: ["Conf", "idence"],
    time: "Time", sensor: "Sensor", status: "Status", assignee: "Assignee", protocol: "Protocol", flows: "Flows", id: "Id",
  },
  simulated: ["sim", "ulated"], simulatedTitle: "Made by the simulator, not seen on a network",
  fromFile: "file",
  statistics: {
    uncounted: (n) => `${n} simulated ${n === "1" ? "threat is" : "threats are"} listed but not counted, because a real source has reported.`,
    title: "Totals", total: "Total", critical: "Critical", high: "High", medium: "Medium", low: "Low",
    error: "The totals could not be loaded.",
  },
  charts: {
    timeline: "Threats over time", last: "24 hours", byType: "By type", bySeverity: "By severity", topSources: "Top sources",
    topDestinations: "Top destinations", none: "Nothing to draw yet.", noneLast: "None in the last 24 hours.", asTable: "Table", asChart: "Chart",
    from: "From", search: "Show these threats in History",
    brush: "Drag over the chart to see a span in History.", show: "Show in History",
    most: (n) => `max ${n}`, slot: (from, to, n) => `${from} – ${to}: ${n}`,
  },
  sensorsStrip: { none: "No sensor", ok: (n) => `${n} ${n === 1 ? "sensor" : "sensors"} ok`, one: (name, state, at) => `${name} ${state} since ${at}`, bad: (n, all) => `${n} of ${all} sensors not ok` },

  monitor: {
    title: "Monitoring", on: (name) => `Monitoring ${name}`, off: "Not monitoring", unknown: "Monitoring state unknown",
    away: "Detector does not answer", none: "No detector to start or stop", simulator: "the simulator",
    start: "Start monitoring", starting: "Starting…", stop: "Stop monitoring", stopping: "Stopping…",
    interface: "Interface", auto: "Automatic", down: "down", duration: "Duration",
    durations: { 60: "1 minute", 300: "5 minutes", 900: "15 minutes", 3600: "1 hour", 0: "Until stopped" },
    of: (a, b) => `${a} of ${b}`, since: (a) => `for ${a}`,
    started: "Monitoring started.", stopped: "Monitoring stopped.",
  },

  inbox: {
    title: "Inbox", caption: "Threats to be decided", all: "All", empty: "Nothing to decide here.", emptyNew: "Inbox is empty. Well done.",
    error: "The inbox could not be loaded.", select: (id) => `Select ${id}`, selectAll: "Select all that are shown",
    chosen: (n) => `${n} selected`, none: "Clear selection",
    acknowledge: "Acknowledge", escalate: "Escalate", close: "Close", reopen: "Reopen", help: "Keys",
    done: (n, status) => `${n} ${n === 1 ? "threat" : "threats"} ${status}`, undo: "Undo", undone: "Undone.",
    lost: (who) => `Not changed: ${who || "someone else"} was faster. The row now shows what they did.`,
    newer: (n) => `${n} newer above`,
    hints: [["j k", "move"], ["o", "open"], ["a", "acknowledge"], ["e", "escalate"], ["c", "close"]],
    left: "That threat has just left the list. Nothing was decided; j goes on.",
    partly: (n, all) => `${n} of ${all} changed.`,
    viewer: "Your role may read, but not decide.",
  },
  keys: {
    title: "Keyboard", close: "Close",
    list: [
      ["j", "Next threat"], ["k", "Previous threat"], ["o", "Open or close the details"], ["x", "Select or deselect"], ["X", "Select all of this type from this source"],
      ["a", "Acknowledge"], ["e", "Escalate"], ["c", "Close"], ["n", "Back to new"], ["s", "Suppress threats like this"],
      ["u", "Undo the last change"], ["/", "Search"], ["?", "This help"], ["Esc", "Close what is open"],
    ],
  },

  // MITRE ATT&CK techniques that the detector names.
  techniques: {
    T1046: "Network Service Discovery", T1048: "Exfiltration Over Alternative Protocol", T1071: "Application Layer Protocol", "T1071.004": "DNS",
    T1095: "Non-Application Layer Protocol", T1110: "Brute Force", T1190: "Exploit Public-Facing Application", T1210: "Exploitation of Remote Services", "T1498.001": "Direct Network Flood",
    "T1498.002": "Reflection Amplification", "T1499.002": "Service Exhaustion Flood", "T1568.002": "Domain Generation Algorithms",
    "T1595.001": "Scanning IP Blocks", "T1595.003": "Wordlist Scanning",
  },

  history: {
    title: "History", search: "Search, such as type:port_scan", caption: "Threats that fit the search, by arrival, newest first", query: "Search",
    placeholder: "type:port_scan source:10.0.0.0/8 -status:closed", go: "Search",
    range: "Time range", ranges: { "": "All time", "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", custom: "Between…" },
    from: "From", to: "To", more: "Load more", loading: "Loading…", end: "That is all.", cut: "Only the first 1,000 are kept here. Narrow the search or export it.",
    empty: "No threat fits this search.", emptyHint: "Suppressed threats are found with is:suppressed.", anyTime: "Search all time", clear: "Clear the search",
    fields: (names) => `Fields: ${names}`, emptyAll: "No threats are stored yet.", error: "The search failed.",
    at: (n) => `at character ${n + 1}`, total: (n) => `${n} ${n === "1" ? "threat" : "threats"}`,
    order: "latest arrival first",
    fresh: (n) => `${n} arrived since this search`, again: "Search again", export: "Export", columns: "Columns",
    save: "Save search", saved: "Saved searches", saveName: "Name", savedError: "The saved searches could not be loaded.", remove: "Remove", facets: "Narrow by", facetsOf: (n) => `Narrow by (counted in the ${n} rows loaded)`,
  },

  detail: {
    title: "Threat", close: "Close details", to: "to", gone: "This threat does not exist, or not any more.",
    removed: "This threat has been removed.", error: "The threat could not be loaded.",
    facts: "What was seen", why: "Why it fired", features: "Flow features", growth: "Growth", triage: "Decision",
    related: "Related", record: "Whole record", first: "First seen", last: "Last seen", flows: "Flows", packets: "Packets", packetsSoFar: "Packets counted so far", bytes: "Bytes", bytesSoFar: "Bytes counted so far",
    duration: "Duration", flowDuration: "Duration of the latest flow", revision: "Revision", received: "Received", model: "Model", community: "Community id", mitre: "MITRE ATT&CK",
    forest: "Random forest", attack: "attack", below: "below its threshold", normal: "normal", isolation: "Isolation forest", anomaly: "anomaly", score: "score",
    within_: (s, most, limit) => `within ${s} s · harmless up to ${most} · limit ${limit}`,
    usual: "usual", share: "share of the verdict", outside: "outside the usual range", within: "within the usual range",
    grew: (flows, packets, time) => [flows && `${flows} ${flows === "1" ? "flow" : "flows"}`, packets && `${packets} ${packets === "1" ? "packet" : "packets"}`, time && `in ${time}`].filter(Boolean).join(", "),
    growthChart: "Flows over the time this was open", growthAt: "Seen until",
    noExplanation: "The sender gave no explanation.",
    comment: "Comment", addComment: "Add comment", assignee: "Assignee", nobody: "Nobody", verdict: "Verdict",
    history: "What happened", download: "Download packets (pcap)",
    evidence_: (n) => `${n} packets kept.`,
    copy: "Copy as JSON", copied: "Copied.", noCopy: "The browser does not allow it.", link: "Copy link", permalink: "Permalink", suppress: "Suppress…", block: "Block source…",
    sameSource: "Same source", sameDestination: "Same destination", noRelated: "No other threats.",
    lost: "Someone changed this threat meanwhile. You now see their change; yours was not made.",
    suppressedBy: "Suppressed by rule", file: "From file",
  },

  // The counters of a host's window; one that is not here is shown by its own name.
  counters: {
    arp_asked_hosts: "Addresses asked for by ARP", dns_long_names: "Long names asked for under one domain", dns_name_bytes: "Bytes carried in DNS names",
    dns_name_length: "Length of one DNS name", dns_names_of_domain: "Names asked for under one domain", failed_hosts: "Hosts that did not open",
    failed_hosts_admin_port: "Hosts that did not open an administration port", failed_ports: "Ports that did not open", half_open_sources: "Sources that left the handshake open",
    icmp_probe_kinds: "Kinds of ICMP probes", icmp_unlike_replies: "Echo replies unlike their question", ip_protocols: "Rare IP protocols tried", login_sessions: "Sign-in sessions",
    mail_hosts: "Mail servers handed mail to", missing_names: "Domains that do not exist", missing_subnames: "Names that do not exist under few domains",
    odd_flag_probes: "Segments no TCP stack sends", one_way_packets_s: "Packets/s that nobody answers", pinged_hosts: "Hosts pinged", reflectors: "Servers that answer what nobody asked",
    refused_udp_ports: "UDP ports that refused", request_patterns: "Requests that hold an attack", request_sizes: "Sizes of web requests: a list of paths is tried",
    amplified_answers: "Answers far larger than their question", half_open_flows: "Handshakes left open", impossible_sources: "Sources that cannot be",
    missing_pages: "Pages that do not exist", pinging_sources: "Sources that ping", pings_s: "Pings/s", reflected_flows: "Answers to questions nobody asked",
    reflected_packets_s: "Packets/s that answer nothing", silent_hosts: "Hosts that do not answer", stray_sources: "Sources of segments out of nowhere",
    web_sessions: "Web sessions", slow_requests: "Requests that trickle in", unanswered_flows: "Flows nobody answered", unanswered_sources: "Sources nobody answered",
    bot_requests: "Requests of a known bot", chat_commands: "IRC commands on a port that is not IRC's", echo_contents: "Contents of echo requests", encoded_names: "Encoded DNS names",
    filler_segments: "Segments of filler: an overflow", keyed_segments: "Segments that repeat a key", login_banners: "Greetings of a sign-in service", refused_logins: "Refused sign-ins",
    disguised_programs: "Programs told to be something else", exploit_datagrams: "Datagrams that break in", exploit_messages: "Messages that break in",
    mining_messages: "Work for a mine of coins", spoils: "Answers that show an attack has worked",
    remote_control: "Remote-control frames or a shell", snmp_communities: "SNMP communities tried", unanswered_names: "Names nobody answered",
  },

  suppress: {
    title: "Suppress threats like this", fields: { source: "Source", destination: "Destination", port: "Port", type: "Type", sensor: "Sensor", max_confidence: "Confidence up to" },
    reason: "Reason", expires: "Until", days: { 1: "1 day", 7: "7 days", 30: "30 days", 0: "No end" }, preview: (n) => `Would have hidden ${n} of the last 24 hours.`,
    go: "Suppress", cancel: "Cancel", done: "Rule made. Threats that fit it are stored but not shown.", needReason: "Say why.", needMatch: "Choose at least one field.",
    warn: "That is most of what you see.",
  },
  names: { heading: "Addresses", title: (a) => `Name ${a}`, name: "Name", note: "Note", forget: "Forget the name", give: "Name…", change: "Change…", none: "no name yet" },
  block: {
    title: "Block source", lead: "Puts the address on the list that firewalls fetch. Nothing is dropped by Threatline itself.", address: "Address or network",
    reason: "Reason", go: "Add to blocklist", done: (a) => `${a} is on the blocklist.`,
  },

  sensors: {
    title: "Sensors", empty: "No sensor has reported yet.", emptyHint: "A detector reports here every 10 seconds once it runs.",
    error: "The sensors could not be loaded.", source: "Source", packets: "Packets", drops: "Drops", flows: "Flows",
    spool: "Waiting", oldest: "Oldest unsent", version: "Version", model: "Model", states: { ok: "ok", late: "late", blind: "blind" }, ago: (a) => `${a} ago`,
    models: "Models", noModels: "The detector has not told of its models.", evictions: "Evictions", delivered: "Delivered", refused: "Refused", dead: "Undelivered", trouble: "Trouble", store: "Store", streams: "Open streams",
    health: "Detector", decided: "What analysts decided", truePositive: "True positives", falsePositive: "False alarms", precision: "Precision", noVerdicts: "No verdict has been given yet.",
    webhook: "Who may send", webhookModes: { open: "open: anyone who reaches the port", trusted: "trusted networks, signatures and keys", signed: "signatures and keys only" },
    secrets: (n) => `${n} ${n === 1 ? "signing secret" : "signing secrets"}`, healthy: "answers", unhealthy: "does not answer", check: "Test connection",
  },

  tune: {
    wanted: "False alarms a day, wanted", expected: "Expected at most", reached: "Reached", own: "as the model has it", unknown: "not known yet", beyond: "no thresholds are strict enough",
    drift: "Greatest drift", fewFlows: "too few flows to tell", learning: "Learning", shadow: "Shadow model", differs: "Differs on", of: (a, b) => `${a} of ${b} flows`,
    learned: (over, hours, of, limits) => (over ? `over: ${limits} ${limits === "1" ? "limit" : "limits"} raised` : `${hours} of ${of} hours`),
  },

  uploads: {
    title: "Uploads", lead: "Drop a capture file here, or choose one.", hint: ".pcap, .pcapng or .cap, also gzipped, up to 500 MB",
    caption: "Capture files that were read", sending: (name, p) => `Sending ${name}: ${p}`, cancel: "Cancel", empty: "No file has been read yet.", error: "The list could not be loaded.",
    file: "File", state: "State", size: "Size", packets: "Packets", flows: "Flows", threats: "Threats", sum: "SHA-256", when: "When", remove: "Remove",
    nothing: "Nothing found", nothingLong: (name) => `${name}: read to the end, nothing found.`, found: (name, n) => `${name}: ${n} ${n === "1" ? "threat" : "threats"} found.`, show: "Show threats",
    states: { receiving: "receiving", queued: "waiting", running: "reading", analysing: "reading", done: "done", failed: "failed", cancelled: "cancelled" }, sent: "File received. It is being read now.",
    viewer: "Your role may not read capture files.", tooLarge: "The file is larger than 500 MB.", noCapture: "This is no capture file.",
    none: "No detector is configured that could read a file.", away: "The detector does not answer, so a file cannot be read now.",
  },

  settings: {
    title: "Settings", sections: { you: "You", users: "Users", keys: "API keys", suppressions: "Suppressions", blocklist: "Blocklist", notifications: "Notifications", letters: "Undelivered", audit: "Audit log" },
    admin: "Your role does not see this.", empty: "Nothing here yet.", error: "This could not be loaded.", add: "Add", remove: "Remove", save: "Save", created: "Saved.", removed: "Removed.", test: "Send test", tested: "Test sent.",
    replay: "Send again", replayed: "Sent again.", oldPassword: "Present password", newPassword: "New password", change: "Change password", changed: "Password changed.", desktop: "Desktop notice for critical threats",
    desktopNo: "This browser does not allow notices here.", keyOnce: "Copy this key now. It is not shown again.", sure: (what) => `Remove ${what}?`, yes: "Yes, remove", no: "Keep", enabled: "enabled", disabled: "disabled",
    enable: "Enable", disable: "Disable", more: "Load more", role: "Role", roles: { viewer: "Viewer", analyst: "Analyst", admin: "Administrator" }, name: "Name", never: "never", email: "E-mail", scopes: "May", scope: { webhook: "send threats", read: "read", feed: "fetch the blocklist", control: "start and stop" },
    author: "Author", match: "Hides", hits: "Hits", kind: "Kind", target: "Target", filter: "Only", problem: "Problem", sent: "Sent", who: "User", what: "Action", result: "Result", address: "Address", details: "Details",
    noticeHint: "Sends each new threat to a target. “Only” takes a search such as severity:critical; left empty, all are sent.",
    suppressHint: "A rule is made from a threat: open one and choose “Suppress…”. What a rule hides is stored and found by is:suppressed.", you: "you",
    clear: "Remove all threats", clearLead: "Removes every stored threat. The audit log stays.", cleared: (n) => `${n} threats removed.`, danger: "Danger",
  },

  state: { loading: "Loading…", retry: "Try again" },
  failed: (message) => `That did not work: ${message}`,
  nul: "a text without NUL characters",
  dismiss: "Dismiss",
};
