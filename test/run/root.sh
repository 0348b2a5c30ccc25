# shellcheck shell=bash
# File systems of a Debian release, to build and install in. Needs root and mmdebstrap. Source lib.sh first.

# sources SUITE: where packages of that release come from: of this machine's own release with its security
# fixes and updates, of another from the same mirror.
sources() {
    local codename
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' "Created-By: Packages" "Component: main" |
        if [[ $1 == "$codename" ]]; then
            grep -E " $1(-security|-updates)? "
        else
            sed -n "s/ $codename main\$/ $1 main/p"
        fi
}

# make_root DIRECTORY SUITE PACKAGE...: a minimal system with the packages, fetched with this machine's
# settings of apt (proxy, checks).
make_root() {
    local directory=$1 suite=$2 list
    shift 2
    is_root || die "a root file system can only be made by root"
    command -v mmdebstrap >/dev/null || die "mmdebstrap is missing (make deps-deb installs it)"
    list=$(sources "$suite")
    [[ -n $list ]] || die "this machine's apt knows no mirror that could have $suite"
    mkdir -p "${directory%/*}"
    apt-config dump Acquire | grep -v IndexTargets >"$directory.apt.conf"
    say "making a root of $suite in $directory"
    mmdebstrap --quiet --mode=root --variant=minbase --skip=cleanup/apt/lists --aptopt="$directory.apt.conf" \
        --include="$(tr ' ' , <<<"$*")" "$suite" "$directory" - <<<"$list" >"$directory.log" 2>&1 && return
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
