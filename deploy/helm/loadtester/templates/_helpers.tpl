{{/* A name for objects: a DNS label that starts with a letter, at most 30 characters, so that there is
room for "-coordinator-", a run id of 16 and a pod's index and suffix. What is cut off stays told apart
by a hash. */}}
{{- define "loadtester.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- end -}}
{{- $label := $full | lower | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $label) }}{{ $label = printf "lt-%s" $label }}{{ end -}}
{{- if or (gt (len $label) 30) (ne $label $full) -}}
{{- $label = printf "%s-%s" ($label | trunc 21 | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- end -}}
{{- $label -}}
{{- end }}

{{/* Part of the names of everything that belongs to one run. */}}
{{- define "loadtester.run" -}}
{{- .Values.runId | default (printf "r%d" (int .Release.Revision)) -}}
{{- end }}

{{/* What selects the pods of one component. Arguments: context, component. */}}
{{- define "loadtester.selector" -}}
app.kubernetes.io/name: {{ default .context.Chart.Name .context.Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .context.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* All labels. Arguments: context, component, more (labels that go before commonLabels; may be absent). */}}
{{- define "loadtester.labels" -}}
{{ include "loadtester.selector" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" | quote }}
{{- with mergeOverwrite dict (.context.Values.commonLabels | default dict) (.more | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The same for what lives as long as one run. */}}
{{- define "loadtester.runLabels" -}}
{{ include "loadtester.labels" . }}
loadtester/run: {{ include "loadtester.run" .context | quote }}
{{- end }}

{{- define "loadtester.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "loadtester.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "loadtester.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{- define "loadtester.secret" -}}
{{- .Values.tokens.existingSecret | default (printf "%s-tokens" (include "loadtester.fullname" .)) -}}
{{- end }}

{{/* The ConfigMap with the plan; ours carries the run's id, so that a run keeps the plan it began with. */}}
{{- define "loadtester.planMap" -}}
{{- .Values.existingPlan.configMap | default (printf "%s-plan-%s" (include "loadtester.fullname" .) (include "loadtester.run" .)) -}}
{{- end }}

{{/* "true" when there is nothing else to send to. */}}
{{- define "loadtester.demo" -}}
{{- $auto := and (not .Values.plan) (not .Values.existingPlan.configMap) -}}
{{- if eq (toString .Values.demoTarget.enabled) "auto" }}{{ $auto }}{{ else }}{{ .Values.demoTarget.enabled }}{{ end -}}
{{- end }}

{{/* Long enough to see something, short enough to wait for. */}}
{{- define "loadtester.plan" -}}
{{- if .Values.plan -}}
{{ .Values.plan }}
{{- else -}}
base_url: http://{{ include "loadtester.fullname" . }}-target:8081
load: { rate: 100/s, duration: 30s, concurrency: 50 }
scenarios:
  - name: Get users
    path: /v1/users
    weight: 2
  - name: Create user
    path: /v1/users
    method: POST
    headers: { Content-Type: application/json }
    body: '{"name": "John", "email": "john@example.com"}'
thresholds:
  - error_rate < 1%
  - p99 < 250ms
{{ end -}}
{{- end }}

{{/* What all pods have in common. Arguments: context, values (of the component, may be empty). */}}
{{- define "loadtester.podCommon" -}}
serviceAccountName: {{ include "loadtester.serviceAccount" .context | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .context.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .context.Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Pod security; what opens many connections also gets the local ports for them. */}}
{{- define "loadtester.podSecurity" -}}
{{- $own := deepCopy .Values.podSecurityContext -}}
{{- $name := "net.ipv4.ip_local_port_range" -}}
{{- $set := false -}}
{{- range $own.sysctls }}{{ if eq .name $name }}{{ $set = true }}{{ end }}{{ end -}}
{{- if and .Values.workers.localPortRange (not $set) -}}
{{- $_ := set $own "sysctls" (append ($own.sysctls | default list) (dict "name" $name "value" .Values.workers.localPortRange)) -}}
{{- end -}}
{{- toYaml $own -}}
{{- end }}

{{/* Environment: tokens by name, then what the user adds. Arguments: context, tokens
(variable: key), podName (whether that too). */}}
{{- define "loadtester.env" -}}
{{- $secret := include "loadtester.secret" .context -}}
env:
{{- range $variable, $key := .tokens }}
  - name: {{ $variable }}
    valueFrom:
      secretKeyRef: { name: {{ $secret | quote }}, key: {{ $key }} }
{{- end }}
{{- if .podName }}
  - name: POD_NAME
    valueFrom:
      fieldRef: { fieldPath: metadata.name }
{{- end }}
{{- with concat .context.Values.extraEnv (.own | default list) }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .context.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "loadtester.baselineArgs" -}}
{{- if .Values.baseline.configMap -}}
- --baseline=/etc/loadtester/baseline/{{ .Values.baseline.key }}
- --max-regression={{ .Values.baseline.maxRegression }}
{{- end -}}
{{- end }}

{{/* Plan, baseline, reports and data, as a process that judges mounts them. */}}
{{- define "loadtester.mounts" -}}
- { name: plan, mountPath: /etc/loadtester/plan, readOnly: true }
{{- if .Values.baseline.configMap }}
- { name: baseline, mountPath: /etc/loadtester/baseline, readOnly: true }
{{- end }}
- { name: reports, mountPath: /reports }
{{- include "loadtester.dataMount" . }}
{{- end }}

{{/* Files of the plan's `data:`. Each begins a line of its own, or is nothing. */}}
{{- define "loadtester.dataMount" -}}
{{- if or .Values.data.existingClaim .Values.data.configMaps }}
- { name: data, mountPath: /data, readOnly: true }
{{- end }}
{{- end }}

{{- define "loadtester.dataVolume" -}}
{{- if and .Values.data.existingClaim .Values.data.configMaps -}}
{{- fail "data.existingClaim and data.configMaps are both mounted at /data: put the files of the ConfigMaps on the claim, too" -}}
{{- end -}}
{{- with .Values.data.existingClaim }}
- name: data
  persistentVolumeClaim:
    claimName: {{ . | quote }}
    readOnly: true
{{- end }}
{{- with .Values.data.configMaps }}
- name: data
  projected:
    sources:
      {{- range . }}
      - configMap:
          name: {{ . | quote }}
      {{- end }}
{{- end }}
{{- end }}

{{- define "loadtester.volumes" -}}
- name: plan
  {{- if .Values.planFiles.secret }}
  projected:
    sources:
      - configMap:
          name: {{ include "loadtester.planMap" . | quote }}
      - secret:
          name: {{ .Values.planFiles.secret | quote }}
  {{- else }}
  configMap:
    name: {{ include "loadtester.planMap" . | quote }}
  {{- end }}
{{- with .Values.baseline.configMap }}
- name: baseline
  configMap:
    name: {{ . | quote }}
{{- end }}
- name: reports
  {{- if .Values.coordinator.reports.existingClaim }}
  persistentVolumeClaim:
    claimName: {{ .Values.coordinator.reports.existingClaim | quote }}
  {{- else }}
  emptyDir:
    sizeLimit: 256Mi
  {{- end }}
{{- include "loadtester.dataVolume" . }}
{{- end }}
