# Before the files go away, but not at an upgrade: stops all, and starts none of it again at the next boot.
if [ -d /run/systemd/system ]; then
  # Sockets first, or a waiting call would start its daemon again.
  systemctl stop proxyd.socket 'proxyd@*.socket' proxyd.service 'proxyd@*.service' \
    clusterd-proxy.socket 'clusterd-proxy@*.socket' clusterd-control.socket 'clusterd-control@*.socket' \
    clusterd.service 'clusterd@*.service' || :
fi
for link in /etc/systemd/system/*.wants/proxyd.* /etc/systemd/system/*.wants/proxyd@* \
  /etc/systemd/system/*.wants/clusterd.* /etc/systemd/system/*.wants/clusterd@* \
  /etc/systemd/system/*.wants/clusterd-proxy* /etc/systemd/system/*.wants/clusterd-control*; do
  if [ -L "$link" ]; then
    rm -f "$link"
  fi
done
