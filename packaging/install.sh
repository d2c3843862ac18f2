#!/bin/sh
# The only list of what is shipped. Both packages are made from it, and so is an installation by hand:
#
#   packaging/install.sh deb|rpm ROOT BUILT   puts the files below ROOT
#   packaging/install.sh deb|rpm              prints the rows: mode, kind, place
#
# BUILT is a directory that packaging/build fills: the programs, and what is generated (man/, completions/,
# licences). SOURCE_DATE_EPOCH, where set, is the time of all files.
set -eu

# format  mode  kind    source                                    place
table() {
  cat <<'ROWS'
both  0755  program  BUILT/proxyd                                 usr/bin/proxyd
both  0755  program  BUILT/clusterd                               usr/bin/clusterd
both  0755  program  BUILT/clusterdctl                            usr/bin/clusterdctl
both  0644  config   packaging/conf/proxyd.toml                   etc/proxyd/proxyd.toml
both  0644  config   packaging/conf/clusterd.toml                 etc/clusterd/clusterd.toml
both  0644  file     systemd/proxyd.socket                        usr/lib/systemd/system/proxyd.socket
both  0644  file     systemd/proxyd@.socket                       usr/lib/systemd/system/proxyd@.socket
both  0644  file     systemd/proxyd.service                       usr/lib/systemd/system/proxyd.service
both  0644  file     systemd/proxyd@.service                      usr/lib/systemd/system/proxyd@.service
both  0644  file     systemd/clusterd-proxy.socket                usr/lib/systemd/system/clusterd-proxy.socket
both  0644  file     systemd/clusterd-proxy@.socket               usr/lib/systemd/system/clusterd-proxy@.socket
both  0644  file     systemd/clusterd-control.socket              usr/lib/systemd/system/clusterd-control.socket
both  0644  file     systemd/clusterd-control@.socket             usr/lib/systemd/system/clusterd-control@.socket
both  0644  file     systemd/clusterd.service                     usr/lib/systemd/system/clusterd.service
both  0644  file     systemd/clusterd@.service                    usr/lib/systemd/system/clusterd@.service
both  0644  file     systemd/preset                               usr/lib/systemd/system-preset/50-composite.preset
both  0644  file     systemd/composite.catalog                    usr/lib/systemd/catalog/composite.catalog
both  0644  file     systemd/sysusers.conf                        usr/lib/sysusers.d/composite.conf
both  0644  file     systemd/tmpfiles.conf                        usr/lib/tmpfiles.d/composite.conf
both  0644  file     packaging/prometheus/composite.rules.yml      usr/share/composite/prometheus/composite.rules.yml
both  0644  file     packaging/grafana/composite.json              usr/share/composite/grafana/composite.json
both  0644  doc      systemd/examples/*.conf                      usr/share/doc/composite/examples/
both  0644  man      packaging/man/*.8                            usr/share/man/man8/
both  0644  man      packaging/man/*.5                            usr/share/man/man5/
both  0644  man      BUILT/man/*.1                                usr/share/man/man1/
both  0644  file     BUILT/completions/clusterdctl.bash           usr/share/bash-completion/completions/clusterdctl
both  0644  file     BUILT/completions/clusterdctl.fish           usr/share/fish/vendor_completions.d/clusterdctl.fish
deb   0644  file     BUILT/completions/_clusterdctl               usr/share/zsh/vendor-completions/_clusterdctl
rpm   0644  file     BUILT/completions/_clusterdctl               usr/share/zsh/site-functions/_clusterdctl
both  0644  doc      README.md                                    usr/share/doc/composite/README.md
both  0644  doc      ARCHITECTURE.md                              usr/share/doc/composite/ARCHITECTURE.md
deb   0644  gzip     CHANGELOG.md                                 usr/share/doc/composite/changelog.gz
rpm   0644  doc      CHANGELOG.md                                 usr/share/doc/composite/CHANGELOG.md
deb   0644  doc      BUILT/copyright                              usr/share/doc/composite/copyright
rpm   0644  doc      LICENSE                                      usr/share/licenses/composite/LICENSE
both  0644  gzip     BUILT/third-party-licences                   usr/share/doc/composite/third-party-licences.gz
ROWS
}

format=${1:?"usage: packaging/install.sh deb|rpm [ROOT BUILT]"}
root=${2:-}
built=${3:-}
cd "$(dirname "$0")/.."

# one file: mode, kind, source, place
place() {
  compressed=$4
  case $2 in man) compressed=$4.gz ;; esac
  if [ -z "$root" ]; then
    printf '%s %s %s\n' "$1" "$2" "$compressed"
    return
  fi
  mkdir -p "$root/$(dirname "$4")"
  case $2 in
    # -n: neither name nor time go into the file, so that two builds are equal.
    man | gzip) gzip -9nc "$3" >"$root/$compressed" ;;
    *) cp "$3" "$root/$4" ;;
  esac
  chmod "$1" "$root/$compressed"
  [ -z "${SOURCE_DATE_EPOCH:-}" ] || touch -d "@$SOURCE_DATE_EPOCH" "$root/$compressed"
}

table | while read -r for mode kind source target; do
  case $for in both | "$format") ;; *) continue ;; esac
  case $source in BUILT/*) source=${built:-/nonexistent}${source#BUILT} ;; esac
  case $target in
    */)
      for file in $source; do
        # A pattern that matches nothing would be lost without a word.
        [ -n "$root" ] || [ -e "$file" ] || continue
        place "$mode" "$kind" "$file" "$target$(basename "$file")"
      done
      ;;
    *) place "$mode" "$kind" "$source" "$target" ;;
  esac
done
