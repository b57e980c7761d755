/**
 * The default seccomp profile as an allow-list: everything not named here answers EPERM. It allows what Docker's
 * default allows, so that images behave alike; calls that need a capability are allowed with that capability.
 */
import type { SeccompProfile } from './seccomp-profile.js';

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const FILES = `
access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64
fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents
getdents64 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 link linkat listmount
_llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv
preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile
sendfile64 splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs tee truncate
truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev`;
const ATTRIBUTES = `
fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr lremovexattr
lsetxattr removexattr removexattrat setxattr setxattrat`;
const MEMORY = `
brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect
mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages`;
const PROCESSES = `
capget capset execve execveat exit exit_group fork getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
getgroups32 getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit
get_robust_list getrusage getsid get_thread_area gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule
landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall
riscv_hwprobe rseq seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid
setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit
set_robust_list setsid set_thread_area set_tid_address setuid setuid32 sysinfo tgkill tkill ugetrlimit uname uretprobe
vfork wait4 waitid waitpid`;
const SCHEDULING = `
sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
sched_yield`;
const SIGNALS = `
rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn`;
const TIME = `
adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
timerfd_gettime64 timerfd_settime timerfd_settime64 times`;
const WAITING = `
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake io_cancel io_destroy io_getevents io_pgetevents
io_pgetevents_time64 io_setup io_submit _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select`;
const COMMUNICATION = `
accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open
mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2
recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg
sendto setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair`;
const WITH_SYS_ADMIN = `
bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
sethostname setns syslog umount umount2 unshare`;

/** CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} of `include/uapi/linux/sched.h`: no new namespaces by clone(2). */
const NAMESPACE_FLAGS = 0x7e020000;
/** `personality` values: Linux, UNAME26 and ADDR_NO_RANDOMIZE combined as Docker allows them, and the query. */
const PERSONALITIES = [0, 0x8, 0x20000, 0x20008, 0xffffffff];
/** AF_ALG (38) and AF_VSOCK (40) reach outside the container's network namespace. */
const SOCKET_FAMILIES = [
  { index: 0, value: 38, op: 'SCMP_CMP_LT' },
  { index: 0, value: 39, op: 'SCMP_CMP_EQ' },
  { index: 0, value: 40, op: 'SCMP_CMP_GT' },
];

const allow = (names: string) => ({ names: words(names), action: 'SCMP_ACT_ALLOW' });
const withCapability = (capability: string, names: string) => ({
  ...allow(names),
  includes: { caps: [capability] },
});

export const DEFAULT_SECCOMP: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  syscalls: [
    allow(FILES + ATTRIBUTES + MEMORY + PROCESSES + SCHEDULING + SIGNALS + TIME + WAITING + COMMUNICATION),
    // Before 4.8 ptrace could be used to slip past seccomp.
    { ...allow('process_vm_readv process_vm_writev ptrace'), includes: { minKernel: '4.8' } },
    ...SOCKET_FAMILIES.map((argument) => ({ ...allow('socket'), args: [argument] })),
    ...PERSONALITIES.map((value) => ({
      ...allow('personality'),
      args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
    })),
    { ...allow('arch_prctl modify_ldt'), includes: { arches: ['amd64', 'x86'] } },
    {
      ...allow('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls'),
      includes: { arches: ['arm', 'arm64'] },
    },
    withCapability('CAP_SYS_ADMIN', WITH_SYS_ADMIN),
    {
      ...allow('clone'),
      args: [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    },
    // clone3's flags are behind a pointer, out of the filter's sight: ENOSYS makes libc fall back to clone.
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, excludes: { caps: ['CAP_SYS_ADMIN'] } },
    withCapability('CAP_DAC_READ_SEARCH', 'open_by_handle_at'),
    withCapability('CAP_SYS_BOOT', 'reboot'),
    withCapability('CAP_SYS_CHROOT', 'chroot'),
    withCapability('CAP_SYS_MODULE', 'delete_module init_module finit_module'),
    withCapability('CAP_SYS_PACCT', 'acct'),
    withCapability(
      'CAP_SYS_PTRACE',
      'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
    ),
    withCapability('CAP_SYS_RAWIO', 'iopl ioperm'),
    withCapability('CAP_SYS_TIME', 'settimeofday stime clock_settime clock_settime64'),
    withCapability('CAP_SYS_TTY_CONFIG', 'vhangup'),
    withCapability('CAP_SYS_NICE', 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
    withCapability('CAP_SYSLOG', 'syslog'),
    withCapability('CAP_BPF', 'bpf'),
    withCapability('CAP_PERFMON', 'perf_event_open'),
  ],
};
