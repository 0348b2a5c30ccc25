# shellcheck shell=bash
# File systems of a Debian release, to build and install in. Needs root and mmdebstrap. Source lib.sh first.

# make_root DIRECTORY SUITE PACKAGE...: a minimal system with the packages, from the mirror that this
# machine's own packages come from, fetched with this machine's settings of apt (proxy, checks).
make_root() {
    local directory=$1 suite=$2 codename mirror
    shift 2
    is_root || die "a root file system can only be made by root"
    command -v mmdebstrap >/dev/null || die "mmdebstrap is missing (make deps-deb installs it)"
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # shellcheck disable=SC2016 # apt's own variable
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $codename" "Component: main" | sed -n 1p)
    [[ -n $mirror ]] || die "this machine's apt knows no mirror of $codename"
    mkdir -p "${directory%/*}"
    apt-config dump Acquire | grep -v IndexTargets >"$directory.apt.conf"
    say "making a root of $suite in $directory"
    mmdebstrap --quiet --mode=root --variant=minbase --skip=cleanup/apt/lists --aptopt="$directory.apt.conf" \
        --include="$(tr ' ' , <<<"$*")" "$suite" "$directory" "deb $mirror $suite main" >"$directory.log" 2>&1 && return
    show_tail "$directory.log"
    die "mmdebstrap failed; its log is $directory.log"
}

# in_root DIRECTORY COMMAND...: runs it there. Mounts and processes end with the command.
in_root() {
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child -- bash -c \
        'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$@"' - "$@"
}

# copy_sources DIRECTORY: the checkout, without what was built in it.
copy_sources() {
    mkdir -p "$1"
    tar -C "$ROOT" --exclude-vcs --exclude=node_modules --exclude=./build --exclude=./.run \
        --exclude='*.o' --exclude='*.d' --exclude='*.so' --exclude='*.list' -c . | tar -C "$1" -x
}
