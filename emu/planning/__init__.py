"""From a `Topology` to a `Plan`: prefixes, addresses, routes, settings; and from plan to plan. Pure."""
