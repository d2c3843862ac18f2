# After the files are in place. $first is "yes" at the first installation, "no" at an upgrade.
systemd-sysusers composite.conf
systemd-tmpfiles --create composite.conf
journalctl --update-catalog >/dev/null 2>&1 || :
# Without a running systemd this is an image that is being made. Each machine made of it must be a peer of its
# own, so identity and secret wait for the machine.
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  if [ "$first" = yes ]; then
    # The identity of this peer and, where none is given, a secret. It says how to go on.
    clusterdctl init || echo "composite: make identity and secret with: clusterdctl init" >&2
  else
    # Only what runs. The sockets stay open: calls wait for the new daemons.
    systemctl try-restart clusterd.service 'clusterd@*.service' proxyd.service 'proxyd@*.service' ||
      echo "composite: a daemon did not start again, see: systemctl --failed" >&2
  fi
fi
