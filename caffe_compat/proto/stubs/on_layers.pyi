# Written by tools/make_stubs.py; change that file or the schema, not this one.
# fmt: off
# ruff: noqa
from caffe_compat.proto.stubs.base import (Enum, Message, Messages, Scalars)
from caffe_compat.proto.stubs.from_a import (APLParameter, AUMaskBasedLandParameter, AccumParameter,
        AccumulatorLossParameter, AccuracyDistanceParameter, AccuracySigmoidParameter,
        AccuracySphereParameter, AccuracyViewParameter, AdacosAddMScaleParameter,
        AdaptiveBiasChannelParameter, AdditiveMarginInnerProductParameter, AdversarialImageDataParamater,
        AffineMatrixParameter, AffinityParameter, AnchorEmbeddingExtractorParameter, AnnotatedDataParameter,
        AnnotatedRDataParameter, ArgMaxOneParameter, AsdnDataParameter, AtariDataParameter,
        AttPoolingParameter, AttentionDataParameter, AugmentationParameter, AxisPoolingParameter,
        BBTXTBBParameter, BBTXTParameter, BBoxRegParameter, BNConvParameter, BNParameter, BReLUParameter,
        BTCostVolumeParameter, BatchContrastiveParameter, BatchPairingParameter, BatchParameter,
        BatchReductionParameter, BdctToSpatialParameter, BeamSearchParameter, BiasChannelParameter,
        BilinearPatchParameter, BinaryAccuracyParameter, BinaryDataParameter, BinaryLabelParameter,
        BinomialDevianceLossParameter, BlackAugmentationParameter, BofParameter, BoxAnnotatorOHEMParameter,
        BoxGroupOutputParameter, BoxOutputParameter, BoxParameter, BoxTermParameter, BroadEltParameter,
        CCCPParameter, CConvolutionParameter, CEuclideanLossParameter, CInnerProductParameter,
        CMDLossParameter, CPMDataParameter, CPMTransformationParameter, CPPLayerParameter,
        CTCDecoderParameter, CTCParameter, CapParameter, CapsuleConvParameter, CapsuleConvRoutingParameter,
        CapsuleConvTransformParameter, CapsuleDeconvParameter, CapsuleDeconvRoutingParameter,
        CapsuleDeconvTransformParameter, CapsuleLenParameter, CapsuleMaskParameter, CapsuleProductParameter,
        CapsuleReluParameter, CapsuleReshapeParameter, CapsuleRoutingParameter, CapsuleTransformParameter,
        CarcontParameter, CensorLabelParameter, CenterDistanceParameter, CenterLossParameter,
        ChannelAggregatorParameter, ChannelDropoutParameter, ChannelReduceParameter, ChannelScaleParameter,
        ClassDistanceParameter, CoeffScheduleParameter, ColinearConvolutionParameter, ColorConvParameter,
        ColorTransferParameter, CombinationParameter, CombineLossParameter, CompactBilinearParameter,
        CompressParameter, ConfidencePenaltyLossParameter, ConstScaleParameter, ConstrainIPParameter,
        ContinuationIndicatorParameter, Convolution3DParameter, ConvolutionCRParameter, ConvupsampleParameter,
        CornerCropParameter, CorrelationParameter, CorrelativeFiltersParameter, CosDataParameter,
        CosinAddmParameter, CosinMulmParameter, CosineSimilarityBatchParameter, CoupledClusterLossParameter,
        CropCenterParameter, CropPoolingParameter, CrossEntropyLossParameter,
        CrossInputNeighborhoodDiffsParameter, CtcLossParameter, DCTParameter, DNSConvolutionParameter,
        DNSInnerProductParameter, DataAlignParameter, DataAugmentParameter, DecodeBBoxParameter,
        DecoderParameter, DeformableConvolutionParameter, DeformablePSROIPoolingParameter,
        DenseBlockParameter, DenseCRFParameter, DenseFaceImageDataParameter, DenseImageDataParameter,
        DensecrfParameter, DetectNetAugmentationParameter, DetectNetGroundTruthParameter,
        DetectionAccuracyParameter, DetectionDataParameter, DetectionEvaluateParameter,
        DetectionGroupAccuracyParameter, DetectionGroupLossParameter, DetectionLossParameter,
        DetectionOutputParameter, DetectionOutputPboxParameter, DetectionPboxEvaluateParameter,
        DetectmapDataParameter, DiceCoefLossParameter, DistLossParameter, DivisionParameter, DocDataParameter,
        DomainTransformParameter, DominantChannelParameter, DotProductParameter, DownSamplingParameter,
        DownsampleParameter)
from caffe_compat.proto.stubs.from_d import (DSALossParameter, DownsamplingParameter, DriveDataParameter,
        DropBlockParameter, DtowParameter, DuplicateParameter, DynamicRoutingParameter, EleOptParameter,
        EltwiseAccuracyParameter, EltwiseAffineParameter, EltwiseDivisionLayerParameter,
        EltwiseWithFillerParameter, EntropyBottleneckParameter, EntropyLossParameter, EntropyPackParameter,
        EuclideanLossParameter, EuclideanParameter, EuclideanWeightLossParameter, EuclideanWithTvParameter,
        EvalDataParameter, EvalDetectionParameter, ExpMaxParameter, FAPPYLossParameter, FCNDataParameter,
        FaceImageParameter, FakeEmbedJpegParameter, FakeEmbedSpatialParameter, FeatureDecayLossParameter,
        FeatureRegistrationParameter, FidaConvParameter, FilterMapParameter, FilterParameter, FlipParameter,
        Float2IntParameter, FlowWarpParameter, FocalLossParameter, FoldingParameter, FramesRollParameter,
        FrcnnOutputParameter, GANLossParameter, GDNParameter, GMMLossParameter, GNParameter,
        GRIDPoolingParameter, GRNParameter, GainChannelParameter, GatherParameter, GenSlicinfoParameter,
        GeneralContrastiveParameter, GeneralTripletParameter, GeneralizedHingeLossParameter,
        GetRetionParameter, GradientScalerParameter, GraphLinkageLossParameter, GridSplatLayerParameter,
        GroupNormParameter, GuidedDropoutParameter, HPDFDTransformationParameter, HSROIPoolingParameter,
        HadamardProductParameter, HardMiningParameter, HashingLossParameter, HeatmapDataParameter,
        HexAccuracyParameter, HexLossParameter, HexScoreParameter, HistogramParameter, HoGParameter,
        HoleConvolutionParameter, HotspotParameter, HungarianLossParameter, HyperColumnsParameter,
        INQConvolutionParameter, INQInnerProductParameter, IOUAccuracyParameter, IgnoreOverlayParameter,
        Im2distParameter, Im2parityParameter, Im2seqParameter, ImResizeParameter,
        ImageDataSteganalysisJpegDctParameter, ImageDataSteganalysisSpatialParameter, ImageFloatDataParameter,
        ImageGtDataParameter, ImageLabelDataParameter, ImageMultiLabelDataParameter, ImageOutputParameter,
        ImageTransformationParameter, ImagedbDataParameter, ImgResizeParameter, ImgSizeParameter,
        ImpMapParameter, ImwriteParameter, IncrementalDataParameter, IndicatorDataParameter,
        InfimumLossParamter, InnerDistanceParameter, InnerProductBlobParameter, InsanityParameter,
        InstanceIDParameter, InterpParameter, IntersectionOverUnionParameter, IntranormParameter,
        JMMDParameter, KernelLossParameter, KeypointAccParameter, L1LossKittiParameter, L1LossParameter,
        LSTMConvolutionParameter, LSTMDebugParameter, LSTMParameter, LabelExpansionParameter,
        LabelSmoothParameter, LabelSpecificAddParameter, LabelSpecificAffineParameter,
        LabelSpecificHardMarginParameter, LabelSpecificMarginParameter, LabelSpecificRescaleParameter,
        LabelSplitParameter, LabeledMatchingParameter, LabelsequenceAccuracyParameter,
        LargeMarginInnerProductParameter, LatentGaussianParameter, LayerSnapshotParameter,
        LiftedStructSimilaritySoftmaxLossParameter, LinearQuantParameter, LinearTransformParameter,
        LmeLossParameter, LocLossParameter, LocalParameter, LocalWeightedConvolutionParameter,
        LogLikelihoodLossParameter, LotParameter, LowlevelDistanceParameter, LpqLossParameter,
        LstmUnitParameter, MCWindowDataParameter, MEXParameter, MILDataParameter, MILParameter,
        MLQuantParameter, MMDParameter, MOEParameter, ManualCropParameter, MappingParameter,
        MarginInnerProductParameter, MarginParameter, MarginSoftmaxLossParameter, MaskResizeParameter,
        MatReadParameter, MatWriteParameter, MatchLossParameter, MeanLossParameter, MeanParameter,
        MergeCropParameter, MergeParameter, MinReLUParameter, MixedPredParameter, MixupParameter,
        MnActivationParameter, MnParamGradCompressParameter, ModuleParameter)
from caffe_compat.proto.stubs.from_m import (MReLUParameter, MTCNNDataParameter, MsplitParameter,
        MtluParameter, MtransposeParameter, MulToBinParameter, MultiAccuracyParameter, MultiBoxLossParameter,
        MultiLabelAccuracyParameter, MultiLabelSoftmaxLoss, MultiModalBatchNormParameter,
        MultiPBoxLossParameter, MultiProtoParameter, MultiRBoxLossParameter,
        MultiSigmoidCrossEntropyLossParameter, MultiSoftmaxLossParameter, MultiSoftmaxParameter,
        MultiStageMeanfieldParameter, MultiViewParameter, MultidataParameter, MultinodeLayerParameter,
        MyReshapeParameter, MyTileParameter, NAMCWindowDataParameter, NCAParameter, NLUParameter,
        NNDownsampleParameter, NNPACKConvolutionParameter, NNUpsampleParameter,
        NeighborhoodUnfoldingParameter, NetvladParameter, NmsParameter, NoiseDataParameter, NoiseParameter,
        NoisyTransParameter, NonlocalParameter, NormConvMeanfieldParameter, NormConvParameter,
        NormL2Parameter, NormLossParameter, NormalizeParameter, OPTransformationParameter, OctreeParameter,
        OneHotParameter, OnlineBatchRelationLossParameter, OpflowWarpParameter, OrdinalRegressionParameter,
        OrthogonalConstraintParameter, OuterProductParameter, OutputDecayParameter, PPowerParameter,
        PSROIAlignParameter, PSROIPoolingParameter, PackChannelParameter, PackDataParameter, PaddingParameter,
        PairCoordinateDataParameter, PairDataParameter, PairWiseSampleLossParameter, PairwiseParameter,
        PairwiseRankingHingeLossParameter, ParseEvaluateParameter, PartSortParameter, PatchParameter,
        PeriodicLossParameter, PeriodicShuffleParameter, PermutationParameter, PermuteParameter,
        PicpacParameter, PifaDataParameter, Plus1LossParameter, PointwiseAttendParameter, Pooling3DParameter,
        PoolingNDParameter, PoseAccuracyParameter, PoseDataParameter, PowerFileParameter, PredictBoxParameter,
        PriorBoxParameter, PriorPBoxParameter, PriorRBoxParameter, ProjectiveMatrixParameter,
        ProjectiveTransformerParameter, ProposalParameter, ProposalTargetParameter,
        PseudoLabelCrossEntropyLossParameter, PyParameter, QuantAccuracyParameter, QuantTruncAbsParameter,
        Quant_TrunParameter, QuantileL1LossParameter, QuantizationParameter, QuantizerParameter,
        QuartetLossParameter, QueuePredictionDataParameter, RCSParameter, RDetectionEvaluateParameter,
        RDetectionOutputParameter, RNNDropoutParameter, ROIAlignParameter, ROIMaskPoolingParameter,
        ROIPoolingParameter, ROIWarpingParameter, RPNParameter, RReLUParameter, RandVecParameter,
        RandomMaclaurionParameter, RankHardLossParameter, RankNoisyTransParameter, RankParameter,
        RankingLossParameter, ReNetLSTMParameter, ReaderParameter, RedAccuracyParameter,
        RedSoftmaxWithLossParameter, ReduceParameter, RegionConvolutionParameter, RegionLossParameter,
        RegionParameter, RegularizationParameter, RelevanceConstraintParameter, ReorgParameter,
        RepMatParameter, ResampleParameter, RescaleParameter, ResizeParameter, ReverseParameter,
        ReverseTimeParameter, RotateTransformerParameter, RoundParameter, RunningAverageParameter,
        RuntimeParameter, ScalarParameter, ScaleFilterParameter, ScaleFlagsParameter, ScaleRouteParameter)
from caffe_compat.proto.stubs.from_s import (SFParameter, SSDDataParameter, SSDParameter, SSIMLossParameter,
        STLossParameter, ScaleTanHParameter, Scene3DDataParameter, SeLUDropoutParameter, SeLUParameter,
        SegAccuracyParameter, SegDataParameter, SegParameter, SegmentationEvaluateParameter,
        SelectSegBinaryParameter, SequenceAccuracyParameter, SetLoss2Parameter, SetLossParameter,
        ShapeTermParameter, ShuffleChannelParameter, SimilarityLossParameter, SimilarityParameter,
        SliceLabelParameter, SliceMapParameter, SlicingPatameter, SlidingWindowParameter,
        SmoothL1LossParameter, SmoothL1Parameter, SmoothMarginInnerProductParameter, SoftContrastiveParameter,
        SoftTruncationParameter, SoftmaxLossParameter, SoftmaxNoisyLabelLossParameter,
        SoftmaxPosNegWithLossParameter, SoftmaxWithLossVecParameter, SoftmaxWithSphereLossParameter,
        SoftmaxWithViewLossParameter, SortParameter, SparseHypercolumnExtractorParameter, SparsifyParameter,
        SparsityLossParameter, SpatialDropoutParameter, SpatialTransformerLossParameter,
        SpatialTransformerParameter, SpliceParameter, SplitMergeParameter, SplitParameter, SquashParameter,
        StdPseudoLabelEntropyLossParameter, StructureMeasureParameter, SubRegionParameter,
        SubpixelDownParameter, SubpixelUpParameter, SubtractionParameter, SumLossParameter,
        SumPoolingParameter, SuperpixelPoolingParameter, SymmetricRectifyParameter, TRTParameter,
        TilingParameter, TransferParameter, TranslationParameter, TransposeParameter, TriVerLossParameter,
        TripletClipHingeLossParameter, TripletConstraintRankingLossParameter, TripletDataParameter,
        TripletLossParameter, TripletRankingHingeLossParameter, TripletSelectionParamter, TruncParameter,
        TruncationParameter, TwoImageDataParameter, TxtFeatDataParameter, UltinousTransformationParameter,
        UncertaintyLossParameter, UniformLossParameter, UniqueLabelParameter, UnlabeledMatchingParameter,
        UnpoolingParameter, UpsampleParameter, UpsamplingParameter, VideoDataParameter, VideoUnrollParameter,
        WSplitParameter, WeightEuclideanLossParameter, WeightedEuclideanLossParameter,
        WeightedFmeasureLossParameter, WellLossParameter, WindowClsDataParameter, WordSumParameter,
        WordvecParameter, WriterParameter, YoloDetectionOutputParameter, YoloSegParameter,
        Yolov3DetectionOutputParameter, Yolov3Parameter, spLmeLossParameter)
from caffe_compat.proto.stubs.stock import (CropParameter, PReLUParameter, ReLUParameter, ReshapeParameter,
        TransformationParameter)

class LayerParameterOfForks(Message):
    Autotune: Enum
    CAFFE_AUTOTUNE_DISABLED: int
    CAFFE_AUTOTUNE_FUNCTION: int
    CAFFE_AUTOTUNE_FUNCTION_PARAMETER: int
    ConnectivityMode: Enum
    CONNECTED: int
    DISCONNECTED_ELTWISE: int
    DISCONNECTED_GRPWISE: int
    DataType: Enum
    CAFFE_FLOAT: int
    CAFFE_HALF: int
    CAFFE_DOUBLE: int
    CAFFE_INT8_QUANTIZED: int
    CAFFE_INT16_QUANTIZED: int
    CAFFE_INT32_QUANTIZED: int
    CAFFE_INT64_QUANTIZED: int
    CAFFE_PACKED_BINARY: int
    DimCheckMode: Enum
    STRICT: int
    PERMISSIVE: int
    connectivity_mode: int
    compute_data_type: int
    top_data_type: int
    bottom_quantizer: Messages[QuantizerParameter]
    top_quantizer: Messages[QuantizerParameter]
    net_quantizer: QuantizerParameter
    blobs_quantizer: Messages[QuantizerParameter]
    autotune: int
    img_aug_type: int
    down_sampling_param: DownSamplingParameter
    vis_label: int
    save_dir: str
    image_label_data_param: ImageLabelDataParameter
    namcwindow_data_param: NAMCWindowDataParameter
    euclidean_loss_param: EuclideanLossParameter
    cccp_param: CCCPParameter
    well_loss_param: WellLossParameter
    hadamard_product_param: HadamardProductParameter
    subtraction_param: SubtractionParameter
    bn_param: BNParameter
    periodic_loss_param: PeriodicLossParameter
    quant_accuracy_param: QuantAccuracyParameter
    label_split_param: LabelSplitParameter
    dominant_channel_param: DominantChannelParameter
    combine_loss_param: CombineLossParameter
    softmax_with_view_loss_param: SoftmaxWithViewLossParameter
    censor_label_param: CensorLabelParameter
    accuracy_view_param: AccuracyViewParameter
    channel_aggregator_param: ChannelAggregatorParameter
    ignore_overlay_param: IgnoreOverlayParameter
    histogram_param: HistogramParameter
    gain_channel_param: GainChannelParameter
    onehot_param: OneHotParameter
    norm_loss_param: NormLossParameter
    argmax_one_param: ArgMaxOneParameter
    eltwise_with_filler_param: EltwiseWithFillerParameter
    running_average_param: RunningAverageParameter
    device: int
    bottom_shared_index: Scalars[int]
    top_shared_index: Scalars[int]
    engine: str
    bbox_reg_param: BBoxRegParameter
    box_output_param: BoxOutputParameter
    eval_data_param: EvalDataParameter
    image_gt_data_param: ImageGtDataParameter
    roi_align_param: ROIAlignParameter
    duplicate_param: DuplicateParameter
    detection_group_loss_param: DetectionGroupLossParameter
    detection_group_accuracy_param: DetectionGroupAccuracyParameter
    box_group_output_param: BoxGroupOutputParameter
    proposal_target_param: ProposalTargetParameter
    frcnn_output_param: FrcnnOutputParameter
    capsule_deconv_transform_param: CapsuleDeconvTransformParameter
    capsule_deconv_routing_param: CapsuleDeconvRoutingParameter
    capsule_deconv_param: CapsuleDeconvParameter
    shuffle_channel_param: ShuffleChannelParameter
    compact_bilinear_param: CompactBilinearParameter
    mlquant_param: MLQuantParameter
    match_loss_param: MatchLossParameter
    l1_loss_kitti_param: L1LossKittiParameter
    pack_data_param: PackDataParameter
    dct_param: DCTParameter
    data_align_param: DataAlignParameter
    gdn_param: GDNParameter
    mtlu_param: MtluParameter
    wsplit_param: WSplitParameter
    entropy_bottleneck_param: EntropyBottleneckParameter
    float2int_param: Float2IntParameter
    noise_data_param: NoiseDataParameter
    img_resize_param: ImgResizeParameter
    color_transfer_param: ColorTransferParameter
    msplit_channel_param: MsplitParameter
    nonlocal_param: NonlocalParameter
    decoder_param: DecoderParameter
    noisy_trans_param: NoisyTransParameter
    rank_noisy_trans_param: RankNoisyTransParameter
    pseudo_label_cross_entropy_loss_param: PseudoLabelCrossEntropyLossParameter
    std_pseudo_label_entropy_loss_param: StdPseudoLabelEntropyLossParameter
    annotated_data_param: AnnotatedDataParameter
    multibox_loss_param: MultiBoxLossParameter
    permute_param: PermuteParameter
    prior_box_param: PriorBoxParameter
    detection_output_param: DetectionOutputParameter
    detection_evaluate_param: DetectionEvaluateParameter
    norm_param: NormalizeParameter
    noise_param: NoiseParameter
    grn_param: GRNParameter
    predict_box_param: PredictBoxParameter
    embedding_extractor_param: AnchorEmbeddingExtractorParameter
    relu6_param: ReLUParameter
    flip_param: FlipParameter
    inner_distance_param: InnerDistanceParameter
    normalize_param: NormalizeParameter
    general_contrastive_loss_param: GeneralContrastiveParameter
    soft_contrastive_loss_param: SoftContrastiveParameter
    general_triplet_loss_param: GeneralTripletParameter
    soft_truncation_param: SoftTruncationParameter
    pairwise_param: PairwiseParameter
    smoothl1_param: SmoothL1Parameter
    batch_contrastive_loss_param: BatchContrastiveParameter
    nca_param: NCAParameter
    label_specific_rescale_param: LabelSpecificRescaleParameter
    infimum_loss_param: InfimumLossParamter
    ordinal_regression_loss_param: OrdinalRegressionParameter
    resize_param: ResizeParameter
    selu_dropout_param: SeLUDropoutParameter
    confidence_penalty_loss_param: ConfidencePenaltyLossParameter
    label_specific_margin_param: LabelSpecificMarginParameter
    channel_scale_param: ChannelScaleParameter
    label_specific_affine_param: LabelSpecificAffineParameter
    label_specific_hard_margin_param: LabelSpecificHardMarginParameter
    label_specific_add_param: LabelSpecificAddParameter
    superpixel_pooling_param: SuperpixelPoolingParameter
    scale_flags_param: ScaleFlagsParameter
    st_loss_param: STLossParameter
    loc_loss_param: LocLossParameter
    hex_loss_param: HexLossParameter
    hex_accuracy_param: HexAccuracyParameter
    hex_score_param: HexScoreParameter
    snapshot: LayerSnapshotParameter
    bdct_to_spatial_param: BdctToSpatialParameter
    sf_param: SFParameter
    sp1_param: Plus1LossParameter
    multilabel_accuracy_param: MultiLabelAccuracyParameter
    crop_pooling_param: CropPoolingParameter
    multi_label_softmax_loss_param: MultiLabelSoftmaxLoss
    tiling_param: TilingParameter
    drive_data_param: DriveDataParameter
    binary_label_param: BinaryLabelParameter
    slice_label_param: SliceLabelParameter
    multi_view_param: MultiViewParameter
    dense_face_image_data_param: DenseFaceImageDataParameter
    relevance_constraint_param: RelevanceConstraintParameter
    center_distance_param: CenterDistanceParameter
    cmd_loss_param: CMDLossParameter
    orthogonal_constraint_param: OrthogonalConstraintParameter
    triplet_selection_param: TripletSelectionParamter
    region_loss_param: RegionLossParameter
    yolo_detection_output_param: YoloDetectionOutputParameter
    yolov3_detection_output_param: Yolov3DetectionOutputParameter
    yolov3_param: Yolov3Parameter
    yolo_seg_param: YoloSegParameter
    segmentation_evaluate_param: SegmentationEvaluateParameter
    fake_embed_jpeg_param: FakeEmbedJpegParameter
    image_data_steganalysis_spatial_param: ImageDataSteganalysisSpatialParameter
    multimodal_batch_norm_param: MultiModalBatchNormParameter
    Channel_dropout_param: ChannelDropoutParameter
    trunc_param: TruncParameter
    lowlevel_distance_param: LowlevelDistanceParameter
    deformable_convolution_param: DeformableConvolutionParameter
    iou_accuracy_param: IOUAccuracyParameter
    au_mask_based_land_param: AUMaskBasedLandParameter
    blob_share_mode: Scalars[int]
    strict_dim: bool
    box_term_param: BoxTermParameter
    shape_term_param: ShapeTermParameter
    bottom_data_type: int
    img_sampling_type: int
    color_conv_param: ColorConvParameter
    mult_softmax_param: MultiSoftmaxParameter
    mult_softmax_loss_param: MultiSoftmaxLossParameter
    eltwise_accuracy_param: EltwiseAccuracyParameter
    downsampling_param: DownsamplingParameter
    image_multilabel_data_param: ImageMultiLabelDataParameter
    red_softmax_loss_param: RedSoftmaxWithLossParameter
    red_accuracy_param: RedAccuracyParameter
    binary_accuracy_param: BinaryAccuracyParameter
    mixed_pred_param: MixedPredParameter
    select_seg_binary_param: SelectSegBinaryParameter
    softmax_pos_neg_loss_param: SoftmaxPosNegWithLossParameter
    softmax_with_sphere_loss_param: SoftmaxWithSphereLossParameter
    accuracy_sphere_param: AccuracySphereParameter
    root_img_dir: str
    crop_meanfile: str
    word_sum_param: WordSumParameter
    video_unroll_param: VideoUnrollParameter
    frames_roll_param: FramesRollParameter
    upsample_param: UpsampleParameter
    dense_image_data_param: DenseImageDataParameter
    attention_data_param: AttentionDataParameter
    local_param: LocalParameter
    seg_data_param: SegDataParameter
    triplet_loss_param: TripletLossParameter
    interp_param: InterpParameter
    seg_accuracy_param: SegAccuracyParameter
    forward_type: int
    backward_type: int
    center_loss_param: CenterLossParameter
    margin_param: MarginParameter
    reorg_param: ReorgParameter
    capsule_transform_param: CapsuleTransformParameter
    capsule_routing_param: CapsuleRoutingParameter
    capsule_mask_param: CapsuleMaskParameter
    capsule_reshape_param: CapsuleReshapeParameter
    capsule_len_param: CapsuleLenParameter
    capsule_conv_transform_param: CapsuleConvTransformParameter
    capsule_conv_routing_param: CapsuleConvRoutingParameter
    capsule_relu_param: CapsuleReluParameter
    quantization_param: QuantizationParameter
    truncation_param: TruncationParameter
    dr_param: DynamicRoutingParameter
    ssd_data_param: SSDDataParameter
    cpp_param: CPPLayerParameter
    nn_upsample_param: NNUpsampleParameter
    capsule_conv_param: CapsuleConvParameter
    region_convolution_param: RegionConvolutionParameter
    lot_param: LotParameter
    pack_channel_param: PackChannelParameter
    additive_margin_inner_product_param: AdditiveMarginInnerProductParameter
    cosin_add_m_param: CosinAddmParameter
    cosin_mul_m_param: CosinMulmParameter
    coupled_cluster_loss_param: CoupledClusterLossParameter
    ctc_loss_param: CtcLossParameter
    lstm_param: LSTMParameter
    sliding_window_param: SlidingWindowParameter
    labelsequence_accuracy_param: LabelsequenceAccuracyParameter
    batch_pairing_param: BatchPairingParameter
    eltwise_affine_param: EltwiseAffineParameter
    cross_input_neighborhood_diffs_param: CrossInputNeighborhoodDiffsParameter
    bilinear_patch_param: BilinearPatchParameter
    hotspot_param: HotspotParameter
    img_size_param: ImgSizeParameter
    fcn_data_param: FCNDataParameter
    scale_filter_param: ScaleFilterParameter
    prior_rbox_param: PriorRBoxParameter
    imagedb_data_param: ImagedbDataParameter
    rdetection_evaluate_param: RDetectionEvaluateParameter
    multirbox_loss_param: MultiRBoxLossParameter
    annotated_r_data_param: AnnotatedRDataParameter
    image_output_param: ImageOutputParameter
    feature_decay_loss_param: FeatureDecayLossParameter
    sparse_hypercolumn_extractor_param: SparseHypercolumnExtractorParameter
    image_data_steganalysis_jpeg_dct_param: ImageDataSteganalysisJpegDctParameter
    pair_data_param: PairDataParameter
    fake_embed_spatial_param: FakeEmbedSpatialParameter
    gen_slicinfo_param: GenSlicinfoParameter
    indicator_data_param: IndicatorDataParameter
    two_image_data_param: TwoImageDataParameter
    roi_warping_param: ROIWarpingParameter
    pw_attend_param: PointwiseAttendParameter
    gradient_scaler_param: GradientScalerParameter
    periodic_shuffle_param: PeriodicShuffleParameter
    apl_param: APLParameter
    rrelu_param: RReLUParameter
    multi_stage_meanfield_param: MultiStageMeanfieldParameter
    Sequence_accuracy_param: SequenceAccuracyParameter
    mmd_param: MMDParameter
    cpm_transform_param: CPMTransformationParameter
    image_transform_param: ImageTransformationParameter
    doc_data_param: DocDataParameter
    weighted_fmeasure_loss_param: WeightedFmeasureLossParameter
    weight_euclidean_loss_param: WeightEuclideanLossParameter
    output_decay_param: OutputDecayParameter
    mcwindow_data_param: MCWindowDataParameter
    padding_param: PaddingParameter
    softmaxloss_param: SoftmaxLossParameter
    image_float_data_param: ImageFloatDataParameter
    colinear_convolution_param: ColinearConvolutionParameter
    upsampling_param: UpsamplingParameter
    folding_param: FoldingParameter
    local_weighted_convolution_param: LocalWeightedConvolutionParameter
    convolution_cr_param: ConvolutionCRParameter
    fida_conv_param: FidaConvParameter
    window_cls_data_param: WindowClsDataParameter
    scene_3d_data_param: Scene3DDataParameter
    pairwise_ranking_hinge_loss_param: PairwiseRankingHingeLossParameter
    axis_pooling_param: AxisPoolingParameter
    ssd_param: SSDParameter
    cconvolution_param: CConvolutionParameter
    cinner_product_param: CInnerProductParameter
    part_sort_param: PartSortParameter
    unpooling_param: UnpoolingParameter
    convupsample_param: ConvupsampleParameter
    dense_crf_param: DenseCRFParameter
    mask_resize_param: MaskResizeParameter
    bbtxt_param: BBTXTParameter
    squash_param: SquashParameter
    detection_accuracy_param: DetectionAccuracyParameter
    detection_data_param: DetectionDataParameter
    channel_reduce_param: ChannelReduceParameter
    dist_loss_param: DistLossParameter
    scale_route_param: ScaleRouteParameter
    pose_accuracy_param: PoseAccuracyParameter
    ranking_loss_param: RankingLossParameter
    norm_conv_meanfield_param: NormConvMeanfieldParameter
    euclidean_param: EuclideanParameter
    structure_measure_param: StructureMeasureParameter
    mtcnn_data_param: MTCNNDataParameter
    black_augmentation_param: BlackAugmentationParameter
    batch_reduction_param: BatchReductionParameter
    mrelu_param: MReLUParameter
    nn_downsample_param: NNDownsampleParameter
    hole_conv_param: HoleConvolutionParameter
    detection_loss_param: DetectionLossParameter
    continuation_indicator_param: ContinuationIndicatorParameter
    largemargin_inner_product_param: LargeMarginInnerProductParameter
    multidata_param: MultidataParameter
    pairwise_sample_loss_param: PairWiseSampleLossParameter
    neighborhood_unfolding_param: NeighborhoodUnfoldingParameter
    im2seq_param: Im2seqParameter
    split_param: SplitParameter
    rdetection_output_param: RDetectionOutputParameter
    module_param: ModuleParameter
    quant_trunc_abs_param: QuantTruncAbsParameter
    l1_loss_param: L1LossParameter
    aug_param: AugmentationParameter
    transfer_param: TransferParameter
    eltwise_division_param: EltwiseDivisionLayerParameter
    dice_coef_loss_param: DiceCoefLossParameter
    is_adaptive_initialization: bool
    display: bool
    broadelt_param: BroadEltParameter
    repmat_param: RepMatParameter
    sort_param: SortParameter
    constrain_ip_param: ConstrainIPParameter
    graphlinkage_loss_param: GraphLinkageLossParameter
    sub_region_param: SubRegionParameter
    cap_param: CapParameter
    mask_param: TransformationParameter
    bbtxt_bb_param: BBTXTBBParameter
    transpose_param: TransposeParameter
    reverse_param: ReverseParameter
    trt_param: TRTParameter
    hard_mining_param: HardMiningParameter
    im2dist_param: Im2distParameter
    decode_bbox_param: DecodeBBoxParameter
    norm_conv_param: NormConvParameter
    similarity_param: SimilarityParameter
    rand_vec_param: RandVecParameter
    capsule_product_param: CapsuleProductParameter
    accum_param: AccumParameter
    ceuclidean_loss_param: CEuclideanLossParameter
    linear_quant_param: LinearQuantParameter
    multobin_param: MulToBinParameter
    visualise: bool
    eval_detection_param: EvalDetectionParameter
    latent_guassian_param: LatentGaussianParameter
    beam_search_param: BeamSearchParameter
    hungarian_loss_param: HungarianLossParameter
    detection_pbox_evaluate_param: DetectionPboxEvaluateParameter
    btcostvolume_param: BTCostVolumeParameter
    instance_id_param: InstanceIDParameter
    dot_product_param: DotProductParameter
    clip_gradients: Scalars[float]
    uncertainty_loss_param: UncertaintyLossParameter
    label_expansion_param: LabelExpansionParameter
    rcs_param: RCSParameter
    renet_lstm_param: ReNetLSTMParameter
    imresize_param: ImResizeParameter
    mixup_param: MixupParameter
    lstm_conv_param: Messages[LSTMConvolutionParameter]
    correlation_param: CorrelationParameter
    activations_compress_param: Messages[CompressParameter]
    splme_loss_param: spLmeLossParameter
    mat_write_param: MatWriteParameter
    spatial_dropout_param: SpatialDropoutParameter
    lme_loss_param: LmeLossParameter
    manual_crop_param: ManualCropParameter
    lpq_loss_param: LpqLossParameter
    flow_warp_param: FlowWarpParameter
    mean_loss_param: MeanLossParameter
    cross_entropy_loss_param: CrossEntropyLossParameter
    scalar_param: ScalarParameter
    wordvec_param: WordvecParameter
    py_param: PyParameter
    subpixel_down_param: SubpixelDownParameter
    triplet_data_param: TripletDataParameter
    feature_registration_param: FeatureRegistrationParameter
    ultinous_transform_param: UltinousTransformationParameter
    adversarial_image_data_param: AdversarialImageDataParamater
    st_param: SpatialTransformerParameter
    power_file_param: PowerFileParameter
    affine_matrix_param: AffineMatrixParameter
    imwrite_param: ImwriteParameter
    data_augment_param: DataAugmentParameter
    proj_trans_param: ProjectiveTransformerParameter
    proj_matrix_param: ProjectiveMatrixParameter
    queue_prediction_data_param: QueuePredictionDataParameter
    rescale_param: RescaleParameter
    margin_inner_product_param: MarginInnerProductParameter
    backward_math: int
    ctc_decoder_param: CTCDecoderParameter
    activations_compress: Scalars[str]
    lstm_debug_param: LSTMDebugParameter
    lifted_struct_sim_softmax_loss_param: LiftedStructSimilaritySoftmaxLossParameter
    cosine_similarity_batch_param: CosineSimilarityBatchParameter
    pose_data_param: PoseDataParameter
    im2parity_param: Im2parityParameter
    mn_grad_compress_param: MnParamGradCompressParameter
    incremental_data_param: IncrementalDataParameter
    smooth_margin_inner_product_param: SmoothMarginInnerProductParameter
    dsa_loss_param: DSALossParameter
    rp: RuntimeParameter
    softmax_with_loss_vec_param: SoftmaxWithLossVecParameter
    insanity_param: InsanityParameter
    guided_dropout_param: GuidedDropoutParameter
    selu_param: SeLUParameter
    filter_map_param: FilterMapParameter
    combination_param: CombinationParameter
    pooling_nd_param: PoolingNDParameter
    face_image_param: FaceImageParameter
    nms_param: NmsParameter
    unique_label_param: UniqueLabelParameter
    att_pooling_param: AttPoolingParameter
    multi_accuracy_param: MultiAccuracyParameter
    reader_param: ReaderParameter
    nlu_param: NLUParameter
    get_region_param: GetRetionParameter
    set_loss_param: SetLossParameter
    set_loss2_param: SetLoss2Parameter
    merge_param: MergeParameter
    asdn_data_param: AsdnDataParameter
    gmm_param: GMMLossParameter
    visualise_channel: int
    whichview: int
    video_data_param: VideoDataParameter
    convolution3d_param: Convolution3DParameter
    pooling3d_param: Pooling3DParameter
    detectnet_groundtruth_param: DetectNetGroundTruthParameter
    detectnet_augmentation_param: DetectNetAugmentationParameter
    pullsfrom: str
    division_param: DivisionParameter
    grid_splat_param: GridSplatLayerParameter
    focal_loss_param: FocalLossParameter
    adaptive_bias_channel_param: AdaptiveBiasChannelParameter
    debug: bool
    cudnn_math_override: int
    roi_mask_pooling_param: ROIMaskPoolingParameter
    gather_param: GatherParameter
    triplet_ranking_hinge_loss_param: TripletRankingHingeLossParameter
    carcont_param: CarcontParameter
    resample_param: ResampleParameter
    downsample_param: DownsampleParameter
    reshape_every_iter: bool
    expmax_param: ExpMaxParameter
    binomial_deviance_loss_param: BinomialDevianceLossParameter
    slicing_param: SlicingPatameter
    accumulator_loss_param: AccumulatorLossParameter
    label_smooth_param: LabelSmoothParameter
    weights_compress: Scalars[str]
    kernel_loss_param: KernelLossParameter
    weights_compress_param: Messages[CompressParameter]
    reverse_time_param: ReverseTimeParameter
    rnn_dropout_param: RNNDropoutParameter
    mean_param: MeanParameter
    permutation_param: PermutationParameter
    const_scale_param: ConstScaleParameter
    ele_opt_param: EleOptParameter
    softmax_noisy_label_loss_param: SoftmaxNoisyLabelLossParameter
    subpixel_up_param: SubpixelUpParameter
    source_class: str
    forward_math: int
    uniform_loss_param: UniformLossParameter
    triver_loss_param: TriVerLossParameter
    multi_proto_param: MultiProtoParameter
    txtfeat_data_param: TxtFeatDataParameter
    p_power_param: PPowerParameter
    on_off_stage: str
    triplet_clip_hinge_loss_param: TripletClipHingeLossParameter
    random_maclaurin_param: RandomMaclaurionParameter
    imp_map_param: ImpMapParameter
    round_param: RoundParameter
    dtow_param: DtowParameter
    mtranspose_param: MtransposeParameter
    entropy_pack_param: EntropyPackParameter
    densecrf_param: DensecrfParameter
    bof_param: BofParameter
    batch_param: BatchParameter
    box_param: BoxParameter
    splice_param: SpliceParameter
    filter_param: FilterParameter
    seg_param: SegParameter
    cos_data_param: CosDataParameter
    binary_data_param: BinaryDataParameter
    euclidean_with_tv_param: EuclideanWithTvParameter
    labeled_matching_param: LabeledMatchingParameter
    unlabeled_matching_param: UnlabeledMatchingParameter
    picpac_param: PicpacParameter
    quartet_loss_param: QuartetLossParameter
    brelu_param: BReLUParameter
    hypercolumns_param: HyperColumnsParameter
    adacos_add_m_scale_param: AdacosAddMScaleParameter
    parse_evaluate_param: ParseEvaluateParameter
    ganloss_param: GANLossParameter
    box_annotator_ohem_param: BoxAnnotatorOHEMParameter
    psroi_pooling_param: PSROIPoolingParameter
    domain_transform_param: DomainTransformParameter
    coeff_schedule_param: CoeffScheduleParameter
    bias_channel_param: BiasChannelParameter
    class_distance_param: ClassDistanceParameter
    mat_read_param: MatReadParameter
    writer_param: WriterParameter
    rotate_transformer_param: RotateTransformerParameter
    softmax_loss_param: SoftmaxLossParameter
    bn_conv_param: BNConvParameter
    quantile_l1_loss_param: QuantileL1LossParameter
    weighted_euclidean_loss_param: WeightedEuclideanLossParameter
    group_norm_param: GroupNormParameter
    similarity_loss_param: SimilarityLossParameter
    mergecrop_param: MergeCropParameter
    margin_softmax_loss_param: MarginSoftmaxLossParameter
    drop_block_param: DropBlockParameter
    linear_transform_param: LinearTransformParameter
    triplet_constraint_ranking_loss_param: TripletConstraintRankingLossParameter
    my_tile_param: MyTileParameter
    translation_param: TranslationParameter
    lstm_unit_param: LstmUnitParameter
    scale_tanh_param: ScaleTanHParameter
    symmetric_rectify_param: SymmetricRectifyParameter
    ctc_param: CTCParameter
    heatmap_data_param: HeatmapDataParameter
    opflow_warp_param: OpflowWarpParameter
    one_hot_param: OneHotParameter
    entropy_loss_param: EntropyLossParameter
    online_batch_relation_loss_param: OnlineBatchRelationLossParameter
    atari_data_param: AtariDataParameter
    sparsify_param: SparsifyParameter
    dns_inner_product_param: DNSInnerProductParameter
    sparsity_loss_param: SparsityLossParameter
    multinode: MultinodeLayerParameter
    keypoint_acc_param: KeypointAccParameter
    spatial_transformer_loss_param: SpatialTransformerLossParameter
    my_reshape_param: MyReshapeParameter
    dns_convolution_param: DNSConvolutionParameter
    intersection_over_union_param: IntersectionOverUnionParameter
    augmentation_param: AugmentationParameter
    hashing_loss_param: HashingLossParameter
    mn_activation_param: MnActivationParameter
    pifa_data_param: PifaDataParameter
    gn_param: GNParameter
    minrelu_param: MinReLUParameter
    region_param: RegionParameter
    affinity_param: AffinityParameter
    moe_param: MOEParameter
    reduce_param: ReduceParameter
    hsroi_pooling_param: HSROIPoolingParameter
    correlative_filters_param: CorrelativeFiltersParameter
    split_merge_param: SplitMergeParameter
    inner_product_blob_param: InnerProductBlobParameter
    inq_inner_product_param: INQInnerProductParameter
    nnpack_convolution_param: NNPACKConvolutionParameter
    rankhard_loss_param: RankHardLossParameter
    mex_param: MEXParameter
    euclidean_weight_loss_param: EuclideanWeightLossParameter
    inq_convolution_param: INQConvolutionParameter
    log_likelihood_loss_param: LogLikelihoodLossParameter
    hog_param: HoGParameter
    quant_trun_param: Quant_TrunParameter
    multipbox_loss_param: MultiPBoxLossParameter
    sum_loss_param: SumLossParameter
    jmmd_param: JMMDParameter
    generalized_hinge_loss_param: GeneralizedHingeLossParameter
    mapping_param: MappingParameter
    hpdfd_transform_param: HPDFDTransformationParameter
    accuracy_sigmoid_param: AccuracySigmoidParameter
    multi_sigmoid_loss_param: MultiSigmoidCrossEntropyLossParameter
    outer_product_param: OuterProductParameter
    deformable_psroi_pooling_param: DeformablePSROIPoolingParameter
    accuracy_distance_param: AccuracyDistanceParameter
    corner_crop_param: CornerCropParameter
    op_transform_param: OPTransformationParameter
    norml2_param: NormL2Parameter
    spatial_transformer_param: SpatialTransformerParameter
    sum_pooling_param: SumPoolingParameter
    netvlad_param: NetvladParameter
    detection_output_pbox_param: DetectionOutputPboxParameter
    rpn_param: RPNParameter
    detectmap_data_param: DetectmapDataParameter
    prior_pbox_param: PriorPBoxParameter
    fappy_loss_param: FAPPYLossParameter
    intranorm_param: IntranormParameter
    log_data: bool
    cpmdata_param: CPMDataParameter
    ssim_loss_param: SSIMLossParameter
    regularization_param: RegularizationParameter
    patch_param: PatchParameter
    rank_param: RankParameter
    net_id: int
    crop_center_param: CropCenterParameter
    octree_param: OctreeParameter
    denseblock_param: DenseBlockParameter
    deletebottom: bool
    slice_map_param: SliceMapParameter
    pair_coordinate_param: PairCoordinateDataParameter
    psroi_align_param: PSROIAlignParameter
    proposal_param: ProposalParameter
    deletetop: bool
    mil_data_param: MILDataParameter
    mil_param: MILParameter
    roi_pooling_param: ROIPoolingParameter
    smooth_l1_loss_param: SmoothL1LossParameter
    grid_pooling_param: GRIDPoolingParameter

class V1LayerParameterOfForks(Message):
    LOCALCONNECT: int
    ROIPOOLING: int
    SMOOTH_L1_LOSS: int
    NORMALIZE: int
    NLU: int
    TRIPLET_LOSS: int
    DOMINANT_CHANNEL: int
    MANUALCROP: int
    TRUNCATION: int
    FACE_IMAGE: int
    TRIVER_LOSS: int
    ELU: int
    TXTFEAT_DATA: int
    HISTOGRAM: int
    RELATIVE_ERROR: int
    GAIN_CHANNEL: int
    ONEHOT: int
    LINEAR_MEAN_LOSS: int
    TV_LOSS: int
    MASK: int
    FAKE_LOSS: int
    RELU6: int
    CEUCLIDEAN_LOSS: int
    LINEAR_QUANT: int
    MRELU: int
    COMPRATIO: int
    MULTOBIN: int
    MTRANSPOSE: int
    MLQUANT: int
    MDATA: int
    CROSS_ENTROPY_LOSS: int
    NOISY_TRANS: int
    PSEUDO_LABEL_CROSS_ENTROPY_LOSS: int
    UNPOOLING: int
    STD_PSEUDO_LABEL_ENTROPY_LOSS: int
    DEFORMABLECONVOLUTION: int
    SOFTMAX_NOISY_LABEL_LOSS: int
    LATENT_GAUSSIAN: int
    VAR_AUTOENCODER_LOSS: int
    PAIRWISE_SAMPLE_LOSS: int
    SF: int
    SOFTMAX_PLUS1_LOSS: int
    MULTILABEL_ACCURACY: int
    CROP_POOLING: int
    NORMALIZATION: int
    ZERO_MEAN_TARGET_LOSS: int
    BATCH_NORMALIZATION_SINGLE: int
    MULTI_LABEL_SOFTMAX_LOSS: int
    CCCP: int
    ELTWISE_PRODUCT: int
    COLINEAR_CONVOLUTION: int
    VOLUME_DATA: int
    MULTI_LABEL_ACCURACY: int
    MULTI_LABEL_LOSS: int
    NAMCWINDOW_DATA: int
    MULTI_SOFTMAX: int
    VOXEL_CUSTOM_LOSS: int
    CROP: int
    INTERP: int
    BN: int
    PRELU: int
    RESHAPE: int
    DUPLICATE: int
    MIXED_PRED: int
    BATCH_NORM: int
    ELTWISE_AFFINE: int
    CENSOR_LABEL: int
    CONADD: int
    CHANNEL_AGGREGATOR: int
    IGNORE_OVERLAY: int
    DROPOUT_CHANNEL: int
    SOFTMAX_WITH_SPHERE_LOSS: int
    ACCURACY_SPHERE: int
    BCODER_LOSS: int
    NSWITCH: int
    RANK_NOISY_TRANS: int
    SSIM_LOSS: int
    CONVOLUTION3D: int
    DECONVOLUTION3D: int
    POOLING3D: int
    VIDEO_DATA: int
    VIDEO_WITH_VOXEL_TRUTH_DATA: int
    VIDEO_SEGMENTATION_DATA: int
    VOXEL_SOFTMAX: int
    VOXEL_SOFTMAX_LOSS: int
    IMAGE_SEG_DATA: int
    SEG_ACCURACY: int
    MAT_WRITE: int
    MULTI_STAGE_MEANFIELD: int
    MCWINDOW_DATA: int
    PADDING: int
    WELL_LOSS: int
    TRIPLET_RANKING_HINGE_LOSS: int
    LOCAL: int
    STOP: int
    LINEARTRANSFORM: int
    INSANITY: int
    DENSE_CRF: int
    IMPMAP: int
    BIAS_CHANNEL: int
    UNIQUE_LABEL: int
    SOFTMAX_POS_NEG_LOSS: int
    ADAPTIVE_BIAS_CHANNEL: int
    DET_VIEW_SPLIT: int
    TRIPLE_VIEW_SPLIT: int
    MERGE: int
    DOTMUL: int
    MSPLIT: int
    REGULARIZATION: int
    MULTI_SOFTMAX_LOSS: int
    DOWN_SAMPLING: int
    PIECE_WISE_THRESHOLD: int
    L1_LOSS: int
    TRIPLET_CONSTRAINT_RANKING_LOSS: int
    TRIPLET_CLIP_HINGE_LOSS: int
    LABEL_SPLIT: int
    COMBINE_LOSS: int
    SOFTMAX_WITH_VIEW_LOSS: int
    BIN_ACCURACY: int
    ACCURACY_VIEW: int
    WINDOW_SEG_BINARY: int
    SELECT_SEG_BINARY: int
    HADAMARD_PRODUCT: int
    SUBTRACTION: int
    IMAGE_MULTILABEL_DATA: int
    PERIODIC_LOSS: int
    MAT_READ: int
    RED_ACCURACY: int
    WINDOW_SEG_DATA: int
    WINDOW_INST_SEG_DATA: int
    DIVERSITY_LOSS: int
    WINDOW_CLS_DATA: int
    SWITCH: int
    ElEOPT: int
    QUANT_TRUN: int
    TRUNC: int
    SOFTMAX_LOSS_OBJECTNESS_PRESENCE: int
    SOFTMAX_LOSS_EXPECTATION: int
    QUANT_ACCURACY: int
    SPFILTER: int
    ENTROPY_PACK: int
    CONST_SCALE: int
    MEAN_LOSS: int
    DATA_HEATMAP: int
    RESIZE: int
    RANK_HARD_LOSS: int
    NETVLAD: int
    RED_SOFTMAX_LOSS: int
    MBATCHNORM: int
    SOFTMAX_WITH_LOSS5: int
    CONVOLUTION_SK: int
    POOLING_SK: int
    MERGE_CROP: int
    IMAGE_LABEL_DATA: int
    MULTI_TASK_DATA_LABEL: int
    GRADIENT_SCALER: int
    ACCURACYDISTANCE: int
    EUCLIDEAN_LOSS_HEATMAP: int
    PEUCLIDEAN_LOSS: int
    DTOW: int
    INTRANORM: int
    ROUND: int
    EUCLIDEANWEIGHT_LOSS: int
    SIGMOID_EUCLIDEAN_LOSS: int
    ENTROPY_LOSS: int
    ELTWISE_ACCURACY: int
    SOFTMAX_LOSS_OBJECTNESS: int
    MPATCH: int
    bn_param: BNParameter
    linear_transform_param: LinearTransformParameter
    nlu_param: NLUParameter
    duplicate_param: DuplicateParameter
    mask_param: TransformationParameter
    roi_pooling_param: ROIPoolingParameter
    euclidean_param: EuclideanParameter
    truncation_param: TruncationParameter
    noise_param: NoiseParameter
    censor_label_param: CensorLabelParameter
    adaptive_bias_channel_param: AdaptiveBiasChannelParameter
    channel_aggregator_param: ChannelAggregatorParameter
    ignore_overlay_param: IgnoreOverlayParameter
    histogram_param: HistogramParameter
    ele_opt_param: EleOptParameter
    gain_channel_param: GainChannelParameter
    onehot_param: OneHotParameter
    mean_loss_param: MeanLossParameter
    relu6_param: ReLUParameter
    linear_quant_param: LinearQuantParameter
    mrelu_param: MReLUParameter
    multobin_param: MulToBinParameter
    mtranspose_param: MtransposeParameter
    mlquant_param: MLQuantParameter
    lot_param: LotParameter
    rank_noisy_trans_param: RankNoisyTransParameter
    pack_data_param: PackDataParameter
    cap_param: CapParameter
    margin_param: MarginParameter
    squash_param: SquashParameter
    capsule_transform_param: CapsuleTransformParameter
    capsule_routing_param: CapsuleRoutingParameter
    capsule_mask_param: CapsuleMaskParameter
    capsule_reshape_param: CapsuleReshapeParameter
    capsule_len_param: CapsuleLenParameter
    capsule_conv_transform_param: CapsuleConvTransformParameter
    capsule_conv_routing_param: CapsuleConvRoutingParameter
    capsule_relu_param: CapsuleReluParameter
    capsule_deconv_transform_param: CapsuleDeconvTransformParameter
    capsule_deconv_routing_param: CapsuleDeconvRoutingParameter
    capsule_deconv_param: CapsuleDeconvParameter
    capsule_conv_param: CapsuleConvParameter
    noisy_trans_param: NoisyTransParameter
    pseudo_label_cross_entropy_loss_param: PseudoLabelCrossEntropyLossParameter
    std_pseudo_label_entropy_loss_param: StdPseudoLabelEntropyLossParameter
    cross_entropy_loss_param: CrossEntropyLossParameter
    softmax_noisy_label_loss_param: SoftmaxNoisyLabelLossParameter
    detection_loss_param: DetectionLossParameter
    eval_detection_param: EvalDetectionParameter
    sf_param: SFParameter
    sp1_param: Plus1LossParameter
    multilabel_accuracy_param: MultiLabelAccuracyParameter
    crop_pooling_param: CropPoolingParameter
    deformable_convolution_param: DeformableConvolutionParameter
    down_sampling_param: DownSamplingParameter
    namcwindow_data_param: NAMCWindowDataParameter
    euclidean_loss_param: EuclideanLossParameter
    cccp_param: CCCPParameter
    well_loss_param: WellLossParameter
    affinity_param: AffinityParameter
    local_param: LocalParameter
    triplet_ranking_hinge_loss_param: TripletRankingHingeLossParameter
    insanity_param: InsanityParameter
    crop_param: CropParameter
    manual_crop_param: ManualCropParameter
    eltwise_affine_param: EltwiseAffineParameter
    sub_region_param: SubRegionParameter
    unique_label_param: UniqueLabelParameter
    softmax_pos_neg_loss_param: SoftmaxPosNegWithLossParameter
    accuracy_view_param: AccuracyViewParameter
    softmax_with_sphere_loss_param: SoftmaxWithSphereLossParameter
    accuracy_sphere_param: AccuracySphereParameter
    smooth_l1_loss_param: SmoothL1LossParameter
    merge_param: MergeParameter
    split_param: SplitParameter
    ceuclidean_loss_param: CEuclideanLossParameter
    pack_channel_param: PackChannelParameter
    dct_param: DCTParameter
    data_align_param: DataAlignParameter
    gdn_param: GDNParameter
    mtlu_param: MtluParameter
    wsplit_param: WSplitParameter
    entropy_bottleneck_param: EntropyBottleneckParameter
    float2int_param: Float2IntParameter
    noise_data_param: NoiseDataParameter
    img_resize_param: ImgResizeParameter
    color_transfer_param: ColorTransferParameter
    msplit_channel_param: MsplitParameter
    nonlocal_param: NonlocalParameter
    decoder_param: DecoderParameter
    video_data_param: VideoDataParameter
    interp_param: InterpParameter
    seg_accuracy_param: SegAccuracyParameter
    mat_write_param: MatWriteParameter
    multi_stage_meanfield_param: MultiStageMeanfieldParameter
    prelu_param: PReLUParameter
    reshape_param: ReshapeParameter
    mcwindow_data_param: MCWindowDataParameter
    strict_dim: bool
    padding_param: PaddingParameter
    softmaxloss_param: SoftmaxLossParameter
    indicator_data_param: IndicatorDataParameter
    colinear_convolution_param: ColinearConvolutionParameter
    mult_softmax_param: MultiSoftmaxParameter
    mult_softmax_loss_param: MultiSoftmaxLossParameter
    hadamard_product_param: HadamardProductParameter
    triplet_constraint_ranking_loss_param: TripletConstraintRankingLossParameter
    l1_loss_param: L1LossParameter
    latent_guassian_param: LatentGaussianParameter
    triplet_loss_param: TripletLossParameter
    pairwise_sample_loss_param: PairWiseSampleLossParameter
    triplet_clip_hinge_loss_param: TripletClipHingeLossParameter
    bias_channel_param: BiasChannelParameter
    softmax_with_view_loss_param: SoftmaxWithViewLossParameter
    dtow_param: DtowParameter
    entropy_loss_param: EntropyLossParameter
    imp_map_param: ImpMapParameter
    entropy_pack_param: EntropyPackParameter
    const_scale_param: ConstScaleParameter
    heatmap_data_param: HeatmapDataParameter
    subtraction_param: SubtractionParameter
    quant_trun_param: Quant_TrunParameter
    periodic_loss_param: PeriodicLossParameter
    mat_read_param: MatReadParameter
    dense_crf_param: DenseCRFParameter
    dominant_channel_param: DominantChannelParameter
    combine_loss_param: CombineLossParameter
    patch_param: PatchParameter
    accuracy_distance_param: AccuracyDistanceParameter
    trunc_param: TruncParameter
    image_multilabel_data_param: ImageMultiLabelDataParameter
    red_softmax_loss_param: RedSoftmaxWithLossParameter
    quant_accuracy_param: QuantAccuracyParameter
    label_split_param: LabelSplitParameter
    mixed_pred_param: MixedPredParameter
    select_seg_binary_param: SelectSegBinaryParameter
    eltwise_accuracy_param: EltwiseAccuracyParameter
    resize_param: ResizeParameter
    pifa_data_param: PifaDataParameter
    red_accuracy_param: RedAccuracyParameter
    binary_accuracy_param: BinaryAccuracyParameter
    window_cls_data_param: WindowClsDataParameter
    round_param: RoundParameter
    word_sum_param: WordSumParameter
    euclidean_weight_loss_param: EuclideanWeightLossParameter
    intranorm_param: IntranormParameter
    rank_param: RankParameter
    detectmap_data_param: DetectmapDataParameter
    unpooling_param: UnpoolingParameter
    netvlad_param: NetvladParameter
    image_label_data_param: ImageLabelDataParameter
    gradient_scaler_param: GradientScalerParameter
